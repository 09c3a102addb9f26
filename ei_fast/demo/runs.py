"""The demo's runs: train, measure along the way, draw."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from matplotlib.figure import Figure
from tqdm import tqdm

from ei_fast.demo.data import Split, iris, mnist
from ei_fast.demo.trainer import SigmoidNetwork
from ei_fast.estimator import EffectiveInformation
from ei_fast.figures.animation import animate_causal_plane
from ei_fast.figures.measures import plot_measures
from ei_fast.figures.plane import CausalPlaneDisplay
from ei_fast.results.report import Report
from ei_fast.training.recorder import Recorder
from ei_fast.warmup import compile_kernels

_RATE = 0.01


@dataclass(frozen=True)
class Run:
    """A network of the seed, its data, and how long it trains."""

    data: Callable[[int], Split]
    widths: tuple[int, ...]
    batch: int
    epochs: int
    every: int


RUNS = {
    "iris": Run(iris, (4, 5, 5, 3), batch=10, epochs=4000, every=50),
    "mnist": Run(mnist, (25, 6, 6, 6, 5), batch=50, epochs=500, every=10),
}


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
    epochs, every = epochs or run.epochs, every or run.every
    # Checked, and the folder made, before an epoch is spent.
    recorder = Recorder(EffectiveInformation(bins=bins, random_state=seed))
    out.mkdir(parents=True, exist_ok=True)
    data = run.data(seed)
    network = SigmoidNetwork(run.widths, seed)
    compile_kernels()
    for epoch in tqdm(range(epochs + 1), desc=f"training on {name}", unit="epoch"):
        if epoch:
            network.train_epoch(data.train_inputs, data.train_targets, run.batch, _RATE)
        if epoch % every == 0 or epoch == epochs:
            report = recorder.record(
                network.weights,
                step=epoch,
                training_loss=network.loss(data.train_inputs, data.train_targets),
                validation_loss=network.loss(data.validation_inputs, data.validation_targets),
                validation_accuracy=network.accuracy(data.validation_inputs, data.validation_targets),
            )
    trajectory = recorder.trajectory_
    written = [out / "trajectory.npz", out / "causal_plane.png", out / "measures.png"]
    trajectory.save(written[0])
    figure = Figure(figsize=(4.8, 4.4), layout="constrained")
    CausalPlaneDisplay.from_trajectory(trajectory).plot(figure.subplots())
    figure.savefig(written[1], dpi=200)
    plot_measures(trajectory).savefig(written[2], dpi=200)
    if video:
        written.append(animate_causal_plane(trajectory, out / f"causal_plane{suffix}"))
    assert report is not None
    return report, written


def video_suffix() -> str:
    """``.mp4`` where ffmpeg is there, ``.gif`` elsewhere."""
    return ".mp4" if find_spec("imageio_ffmpeg") else ".gif"
