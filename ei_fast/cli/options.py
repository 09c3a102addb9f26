"""What commands share: how they say what is wrong, and the options of how a file is read."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

import ei_fast
from ei_fast.cli.written import refuse_measured
from ei_fast.network.reach import RULES


def said_plainly(command: Callable) -> Callable:
    """What is wrong with an argument or a file is a message, not a traceback."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except (ValueError, TypeError, OSError, MemoryError, ImportError) as error:
            raise click.ClickException(str(error)) from error

    return wrapped


def how_to_read(activation: str | None = "sigmoid") -> Callable[[Callable], Callable]:
    """Options of commands that read files of weights, or whole models; with the `activation` that is the default."""
    options = (
        click.option(
            "--activation",
            default=activation,
            show_default=activation is not None,
            help="Of layers for which the file names none: one, or one for each, with commas between them.",
        ),
        click.option("--order", help="Names of the dense layers in order, with commas between them."),
        click.option("--in-range", nargs=2, type=float, metavar="LOW HIGH", help="Range of the inputs [0 1]."),
        click.option("--input-shape", help="Of one sample, where a model leaves it open, with commas: 1,28,28."),
    )

    def with_options(command: Callable) -> Callable:
        for option in options[::-1]:
            command = option(command)
        return command

    return with_options


def how_to_measure(command: Callable) -> Callable:
    """Options of how layers are measured, each a parameter of `EffectiveInformation`, which checks it."""
    options = (
        click.option("--bins", type=int, default=8, show_default=True, help="Bins of each neuron."),
        click.option("--out-range", nargs=2, type=float, metavar="LOW HIGH", help="Range of every layer's outputs."),
        click.option(
            "--ranges", metavar="RULE", help="How ranges of outputs are derived: auto, hull or neuron [auto]."
        ),
        click.option("--out-of-range", default="clip", show_default=True, help="Outputs outside: clip or drop."),
        click.option("--baseline", type=float, default=0.0, show_default=True, help="Other inputs' in sensitivity."),
        click.option(
            "--joint", default="auto", show_default=True, help="Of EI: auto, conditional, plugin, gaussian or annealed."
        ),
        click.option("--pairwise", default="auto", show_default=True, help="Of edges: auto, exact, histogram or none."),
        click.option(
            "--entropy",
            default="auto",
            show_default=True,
            help="Estimator: auto, plugin, miller-madow, grassberger or chao-shen.",
        ),
        click.option("--pairwise-edges", type=int, help="Edges of a layer that are measured, for their sums [all]."),
        click.option("--n-samples", type=int, help="Simulated points of each layer [as many as --tol needs]."),
        click.option("--tol", type=float, default=0.01, show_default=True, help="Error of EI to aim for, in bits."),
        click.option("--effort", type=float, default=1.0, show_default=True, help="Multiplies the ceiling of work."),
        click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the sampling."),
    )
    for option in options[::-1]:
        command = option(command)
    return command


def parameters_of(
    seed: int, n_samples: int | None, ranges: str | None, out_range: tuple[float, float] | None, **others: Any
) -> dict[str, Any]:
    """Parameters of `EffectiveInformation` from the options of `how_to_measure`."""
    if ranges is not None and out_range is not None:
        low, high = out_range
        raise ValueError(
            "The options --ranges and --out-range must not be given together: one derives the range of the outputs, "
            f"the other states it. Got --ranges {ranges} and --out-range {low:g} {high:g}."
        )
    if ranges is not None and ranges not in RULES:
        raise ValueError(f"The option --ranges must be {', '.join(RULES[:-1])} or {RULES[-1]}. Got {ranges!r} instead.")
    given = {"random_state": seed, "n_samples": "auto" if n_samples is None else n_samples}
    return others | given | {"out_range": out_range or ranges or "auto"}


def names_in(listed: str | None) -> list[str] | None:
    """Names with commas between them."""
    return None if listed is None else [name.strip() for name in listed.split(",")]


def sizes_in(listed: str | None) -> list[int] | None:
    """Sizes with commas between them."""
    sizes = names_in(listed)
    if sizes is not None and not all(size.isdecimal() for size in sizes):
        raise ValueError(f"The option --input-shape must be integers with commas between them. Got {listed!r}.")
    return None if sizes is None else [int(size) for size in sizes]


def network_in(
    file: Path, activation: str, order: str | None, in_range: tuple[float, float] | None, input_shape: str | None
) -> Any:
    """The network in a file, read with these options."""
    refuse_measured(file)
    names = names_in(activation) or []
    return ei_fast.as_network(
        file,
        names[0] if len(names) == 1 else names,
        in_range,
        order=names_in(order),
        input_shape=sizes_in(input_shape),
    )
