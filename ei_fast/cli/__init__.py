"""The command ``ei-fast``."""

import os
import sys
from pathlib import Path
from typing import Any

import click

import ei_fast
from ei_fast._version import __version__
from ei_fast.cli.batch import batch
from ei_fast.cli.options import how_to_measure, parameters_of
from ei_fast.cli.reading import how_to_read, network_in, taken_out
from ei_fast.cli.said import as_typed, said_plainly
from ei_fast.cli.written import TEXTS, check_report_path, refuse_unmeasured, write_report
from ei_fast.functions import description
from ei_fast.warmup import compile_kernels

_VERBOSE = click.option(
    "--verbose", is_flag=True, help="Name each layer wholly, and give each that is skipped a line of its own."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ei-fast")
def main() -> None:
    """Effective information, sensitivity and degeneracy of neural networks."""
    # Only files are written, which need no window; a notebook's MPLBACKEND may name what is not installed here, and
    # Matplotlib would not be imported.
    if "matplotlib" not in sys.modules:
        os.environ["MPLBACKEND"] = "agg"


main.add_command(batch)


@main.command()
@click.argument("name", type=click.Choice(["iris", "mnist"]))
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder to write into [ei-fast-NAME].")
@click.option("--epochs", type=click.IntRange(min=1), help="Training epochs [4000 for iris, 500 for mnist].")
@click.option("--every", type=click.IntRange(min=1), help="Epochs between measurements [50 for iris, 10 for mnist].")
@click.option("--bins", type=int, default=8, show_default=True, help="Bins of each neuron.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of weights, data and sampling.")
@click.option("--video", is_flag=True, help="Write causal_plane.mp4 too, or .gif where ffmpeg is not there.")
@said_plainly
def demo(name: str, out: Path | None, epochs: int | None, every: int | None, bins: int, seed: int, video: bool) -> None:
    """Train a small network and watch its layers in the causal plane.

    Writes trajectory.npz, causal_plane.png and measures.png.
    """
    from ei_fast.demo.runs import run_demo

    report, written = run_demo(name, out or Path(f"ei-fast-{name}"), epochs, every, bins, seed, video)
    click.echo(f"\nAfter training, in bits:\n{report}\n")
    for path in written:
        click.echo(f"wrote {path}")


@main.command()
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@how_to_read()
@how_to_measure
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the report too: .npz with the figures of all edges, or .csv or .json.",
)
@click.option(
    "--matrices",
    type=click.Path(file_okay=False),
    help="Folder for new .npy files of the figures of all edges, which then need not fit into memory.",
)
@click.option("--explain", is_flag=True, help="Say how each figure was found and what each flag means.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", *TEXTS]),
    default="table",
    show_default=True,
    help="Print a table for reading, or what other programs read, and nothing else.",
)
@_VERBOSE
@said_plainly
def analyze(
    file: Path,
    activation: str,
    in_range: tuple[float, float] | None,
    out: Path | None,
    explain: bool,
    form: str,
    verbose: bool,
    **options: Any,
) -> None:
    """Measure every layer of the network in FILE.

    It is .npz, .safetensors, or .pt, .pth, .ckpt, .bin with a state dict; or a whole model, .keras or .onnx; or a
    folder as Hugging Face saves a model.
    """
    if out is not None:
        check_report_path(out)
    if form in TEXTS and (explain or verbose):
        raise ValueError(f"--explain and --verbose are for reading. Got them with --format {form}. Leave them out.")
    reading = taken_out(options)
    parameters = parameters_of(**options)
    network = network_in(file, activation, in_range, reading)
    estimator = ei_fast.EffectiveInformation(**parameters, verbose=int(sys.stderr.isatty()))
    estimator.check(network)
    compile_kernels()
    report = estimator.fit(network).report_
    if form in TEXTS:
        click.echo(TEXTS[form](report).rstrip())
    else:
        click.echo(as_typed(report.text(verbose)))
    if explain:
        click.echo(as_typed("\n" + "\n\n".join(layer.explain() for layer in report)))
    if out is not None:
        write_report(report, out)
        click.echo(f"\nwrote {out}", err=form in TEXTS)


@main.command()
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@how_to_read()
@_VERBOSE
@said_plainly
def describe(file: Path, activation: str, in_range: tuple[float, float] | None, verbose: bool, **options: Any) -> None:
    """Say what of FILE would be measured, layer by layer, and what is skipped and why."""
    click.echo(as_typed(description(network_in(file, activation, in_range, taken_out(options)), verbose)))


@main.command()
def warmup() -> None:
    """Compile all kernels into the cache on disk, so that later processes only load them.

    Any number of processes may do so at once: one compiles, the others wait.
    """
    from ei_fast.warmup import warmup

    done = warmup(alone=True, verbose=True)
    if done.folder is not None and (done.compiled or not done.problem):
        how = "Compiled all kernels" if done.compiled else "All kernels were compiled already"
        click.echo(f"{how} ({done.seconds:.2f} s): {done.folder}")
    if done.problem:
        click.echo(f"Warning: {done.problem}", err=True)


@main.command()
@click.argument("trajectory", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--fps", type=float, help="Steps shown a second [about ten seconds for all].")
@click.option("--pause", type=float, default=1.0, show_default=True, help="Seconds that both ends stand still.")
@click.option("--trail", type=int, default=20, show_default=True, help="Steps that stay visible behind each point.")
@click.option("--run", help="Which one, where the trajectory holds several; an .html file shows all.")
@click.option("--per", type=click.Choice(["layer", "edge"]), default="layer", show_default=True, help="Bits of what.")
@said_plainly
def animate(
    trajectory: Path, out: Path, fps: float | None, pause: float, trail: int, run: str | None, per: Any
) -> None:
    """Show the layers of TRAJECTORY, an .npz file, moving in the causal plane: OUT is an .mp4, .gif or .html file."""
    ei_fast.animate_causal_plane(_loaded(trajectory, run), out, fps, pause, trail, per=per)
    click.echo(f"wrote {out}")


@main.command()
@click.argument("trajectory", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--run", help="Which one, where the trajectory holds several.")
@click.option("--per", type=click.Choice(["layer", "edge"]), default="layer", show_default=True, help="Bits of what.")
@said_plainly
def plot(trajectory: Path, out: Path, run: str | None, per: Any) -> None:
    """Draw TRAJECTORY, an .npz file: OUT is a .png, .pdf or .svg file with the causal plane and measures over time."""
    from ei_fast.figures.overview import plot_overview

    plot_overview(_loaded(trajectory, run), per).savefig(out, dpi=200)
    click.echo(f"wrote {out}")


_run_files = click.Path(exists=True, dir_okay=False, path_type=Path)


@main.command()
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder of the page.")
@click.option(
    "--from", "first", multiple=True, type=_run_files, metavar="RUN.npz …", help="Trajectories to show instead."
)
@click.argument("further", nargs=-1, type=_run_files, metavar="")
@click.option("--quick", is_flag=True, help="Two networks, three seeds, half as long: a page in two minutes.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="The first seed.")
@click.option("--no-counting", is_flag=True, help="Of runs: without EI by counting, which wide layers make slow.")
@click.option("--processes", type=click.IntRange(min=1), help="That train and draw side by side [the cores].")
@said_plainly
def page(
    out: Path,
    first: tuple[Path, ...],
    further: tuple[Path, ...],
    *,
    quick: bool,
    seed: int,
    no_counting: bool,
    processes: int | None,
) -> None:
    """Make a page of layers in the causal plane, with a verdict on each of four claims about them.

    Trains the networks of the paper, ten seeds of two of them, or shows the trajectories that --from names: runs of
    the same layers, measured in one way, are seeds of one network. DIR/index.html opens from disk. What was interrupted
    is run again and goes on.
    """
    from ei_fast.demo import page as make_page

    runs = (*first, *further)
    for path in runs:
        refuse_unmeasured(path)
    index = make_page(
        out,
        runs or None,
        quick=quick,
        seed=seed,
        counting=not no_counting,
        n_jobs=processes,
        verbose=int(sys.stderr.isatty()),
    )
    click.echo(f"wrote {index}")


def _loaded(path: Path, run: str | None) -> ei_fast.Trajectory:
    refuse_unmeasured(path)
    trajectory = ei_fast.Trajectory.load(path)
    return trajectory if run is None else trajectory.of_run(run)
