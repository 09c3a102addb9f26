"""The demo's runs: train, measure along the way, draw."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from matplotlib.figure import Figure
from tqdm import tqdm

from ei_fast.demo.trainings import TRAININGS, records
from ei_fast.estimator import EffectiveInformation
from ei_fast.figures.animation import animate_causal_plane
from ei_fast.figures.measures import plot_measures
from ei_fast.figures.plane import CausalPlaneDisplay
from ei_fast.results.report import Report
from ei_fast.training.recorder import Recorder
from ei_fast.warmup import compile_kernels

_EVERY = {"iris": 50, "mnist": 10}
"""Epochs between records; the page has more of them."""
_DOTS = 200
"""Dots an inch of the pictures."""

RUNS = {training.name: training for training in TRAININGS if training.name in _EVERY}
"""What the demo trains, by the name that is typed."""


def run_demo(
    name: str,
    out: Path,
    epochs: int | None = None,
    every: int | None = None,
    bins: int = 8,
    seed: int = 0,
    video: bool = False,
) -> tuple[Report, list[Path]]:
    """Train a network of `RUNS`, measure it every so many epochs, and write what came of it into `out`.

    Returns
    -------
    report : Report
        Of the trained network, over the ranges of the whole run.
    written : list of Path
        Trajectory and pictures; with `video` an animation too, by the best writer that is installed.
    """
    run = RUNS[name]
    suffix = video_suffix() if video else ""
    run = replace(run, epochs=epochs or run.epochs, every=every or _EVERY[name])
    # Checked, and the folder made, before an epoch is spent.
    recorder = Recorder(EffectiveInformation(bins=bins, random_state=seed))
    out.mkdir(parents=True, exist_ok=True)
    compile_kernels()
    # A step of the bar an epoch, though only some are recorded.
    with tqdm(total=run.epochs, desc=f"training on {name}", unit="epoch") as bar:
        for epoch, network, metrics in records(run, seed):
            report = recorder.record(network.weights, step=epoch, **metrics)
            bar.update(epoch - bar.n)
    trajectory = recorder.trajectory_
    written = [out / "trajectory.npz", out / "causal_plane.png", out / "measures.png"]
    trajectory.save(written[0])
    figure = Figure(figsize=(4.8, 4.4), layout="constrained")
    CausalPlaneDisplay.from_trajectory(trajectory).plot(figure.subplots())
    figure.savefig(written[1], dpi=_DOTS)
    plot_measures(trajectory).savefig(written[2], dpi=_DOTS)
    if video:
        written.append(animate_causal_plane(trajectory, out / f"causal_plane{suffix}"))
    assert report is not None
    return report, written


def video_suffix() -> str:
    """``.mp4`` where ffmpeg is there and runs, ``.gif`` elsewhere."""
    if not find_spec("imageio_ffmpeg"):
        return ".gif"
    from ei_fast.figures.packages import writer_of_mp4

    try:
        writer_of_mp4()
    except ImportError:
        return ".gif"
    return ".mp4"
