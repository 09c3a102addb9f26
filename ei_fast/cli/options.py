"""Options of how layers are measured."""

from collections.abc import Callable
from typing import Any

import click

from ei_fast.network.reach import RULES

Command = Callable[..., Any]
"""A command before, between and after options are added to it."""


def how_to_measure(command: Command) -> Command:
    """Options of how layers are measured, each a parameter of `EffectiveInformation`, which checks it."""
    options = (
        click.option("--bins", type=int, default=8, show_default=True, help="Bins of each neuron."),
        click.option("--out-range", nargs=2, type=float, metavar="LOW HIGH", help="Range of every layer's outputs."),
        click.option(
            "--ranges",
            metavar="RULE",
            help="How ranges of outputs are derived: auto, hull, neuron, dynamic or seen [auto].",
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
