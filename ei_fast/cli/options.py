"""What commands share: how they say what is wrong, and the options of how a file is read."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

import ei_fast


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
    names = names_in(activation) or []
    return ei_fast.as_network(
        file,
        names[0] if len(names) == 1 else names,
        in_range,
        order=names_in(order),
        input_shape=sizes_in(input_shape),
    )
