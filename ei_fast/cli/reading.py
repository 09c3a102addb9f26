"""Options of how a file is read: one for each of `as_network`, so that none is missing on the command line."""

import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

import ei_fast
from ei_fast.adapters.dicts.options import Layout
from ei_fast.cli.options import Command
from ei_fast.cli.written import refuse_measured
from ei_fast.parameters import AdapterOptions

NAMES = tuple(AdapterOptions.__annotations__)


@dataclass(frozen=True)
class _Form:
    """How an option of `as_network` is typed, and what is made of what was typed."""

    settings: Mapping[str, Any]
    value: Callable[[Any], Any]


def names_in(listed: str | None) -> list[str] | None:
    """Names with commas between them."""
    return None if listed is None else [name.strip() for name in listed.split(",")]


def sizes_in(listed: str | None) -> list[int] | None:
    """Sizes with commas between them."""
    sizes = names_in(listed)
    if sizes is not None and not all(size.isdecimal() for size in sizes):
        raise ValueError(f"The option --input-shape must be integers with commas between them. Got {listed!r}.")
    return None if sizes is None else [int(size) for size in sizes]


def _ordered(typed: tuple[str, ...]) -> list[str]:
    # Where the option is given again and again, a name may have commas in it.
    return (names_in(typed[0]) or []) if len(typed) == 1 else list(typed)


def _blocks_in(typed: tuple[str, ...]) -> str | list[str] | dict[str, tuple[float, float] | None]:
    """Names, some of which may have a range: NAME=LOW,HIGH; or "auto"."""
    if typed == ("auto",):
        return "auto"
    blocks = dict(map(_block_in, typed))
    return blocks if any(blocks.values()) else list(blocks)


def _block_in(typed: str) -> tuple[str, tuple[float, float] | None]:
    name, _, limits = typed.rpartition("=")
    try:
        low, high = map(float, limits.split(","))
    except ValueError:
        return typed, None
    return (name, (low, high)) if name else (typed, None)


def _batch_in(path: str) -> Any:
    try:
        with open(path, "rb") as file:
            return np.lib.format.read_array(file, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise ValueError(
            f"The option --example-inputs must be a .npy file of one array (rows, ...). Got {path!r}: {error}. "
            "Write one with numpy.save."
        ) from error


def _places_in(typed: tuple[str, ...]) -> str | dict[str, str]:
    """Where all batch norms stand, or each: NAME=PLACE."""
    if len(typed) == 1 and "=" not in typed[0]:
        return typed[0]
    return {name: place for name, _, place in (one.rpartition("=") for one in typed)}


_FORMS = {
    "order": _Form(
        {
            "multiple": True,
            "metavar": "NAME",
            "help": "Names of the dense layers in order: once for each, or once with commas between them.",
        },
        _ordered,
    ),
    "prefix": _Form({"metavar": "NAME", "help": "Of several networks in a file, the one whose names begin so."}, str),
    "layout": _Form(
        {
            "type": click.Choice(typing.get_args(Layout)),
            "help": "How a file stores weights: (n_out, n_in), or (n_in, n_out) [as names and biases tell].",
        },
        str,
    ),
    "norm_place": _Form(
        {
            "multiple": True,
            "metavar": "[NAME=]before|after",
            "help": "Where batch norms of --order stand, by the activation; for all, or once for each.",
        },
        _places_in,
    ),
    "norm_eps": _Form(
        {"type": float, "help": "What batch norms of a file add to the variance [1e-5, of Keras 1e-3]."}, float
    ),
    "chain": _Form(
        {
            "default": None,
            "help": "Whether the layers of a file feed each other, or every 2-D weight is measured by itself [yes].",
        },
        bool,
    ),
    "layers": _Form(
        {
            "multiple": True,
            "metavar": "PATTERN",
            "help": "Only layers of a file whose names fit, like '*.mlp.*': once for each, or once with commas.",
        },
        _ordered,
    ),
    "names": _Form(
        {
            "multiple": True,
            "metavar": "NAME",
            "help": "What the layers are called: once for each, or once with commas.",
        },
        _ordered,
    ),
    "blocks": _Form(
        {
            "multiple": True,
            "metavar": "auto|NAME[=LOW,HIGH]",
            "help": "A part of a model that is measured as one, and the range of its outputs; once for each. "
            "Or auto: residual blocks and gated units are found.",
        },
        _blocks_in,
    ),
    "heads": _Form({"default": None, "help": "Whether attention of a model is measured head by head [no]."}, bool),
    "verify": _Form(
        {"default": None, "help": "Whether the layers of a model that runs are compared with the model [yes]."},
        bool,
    ),
    "input_shape": _Form({"help": "Of one sample, where a model leaves it open, with commas: 1,28,28."}, sizes_in),
    "example_inputs": _Form(
        {
            "type": click.Path(exists=True, dir_okay=False),
            "metavar": "FILE.npy",
            "help": "A batch of inputs, instead of --input-shape, and for --ranges seen.",
        },
        _batch_in,
    ),
    "unroll": _Form(
        {"type": int, "help": "How many steps of recurrent cells are measured as one map [gates, each by itself]."}, int
    ),
}


def _form_of(name: str) -> _Form:
    """How an option is typed: as said above, else as its type has it."""
    if name in _FORMS:
        return _FORMS[name]
    kinds = typing.get_args(AdapterOptions.__annotations__[name]) or (AdapterOptions.__annotations__[name],)
    said = {"help": f"The {name!r} parameter of as_network."}
    if bool in kinds:
        return _Form({"default": None, **said}, bool)
    for kind in (int, float):
        if kind in kinds:
            return _Form({"type": kind, **said}, kind)
    if str in kinds:
        return _Form(said, str)
    return _Form({"multiple": True, **said}, list)


def _option(name: str) -> Callable[[Command], Command]:
    typed, settings = name.replace("_", "-"), _form_of(name).settings
    flag = f"--{typed}/--no-{typed}" if "default" in settings else f"--{typed}"
    return click.option(flag, name, **settings)


def how_to_read(activation: str | None = "sigmoid") -> Callable[[Command], Command]:
    """Options of commands that read files of weights, or whole models; with the `activation` that is the default."""
    options: tuple[Callable[[Command], Command], ...] = (
        click.option(
            "--activation",
            default=activation,
            show_default=activation is not None,
            help="Of layers for which the file names none: one, or one for each, with commas between them.",
        ),
        click.option("--in-range", nargs=2, type=float, metavar="LOW HIGH", help="Range of the inputs [0 1]."),
        *(_option(name) for name in NAMES),
    )

    def with_options(command: Command) -> Command:
        for option in options[::-1]:
            command = option(command)
        return command

    return with_options


def taken_out(typed: dict[str, Any]) -> dict[str, Any]:
    """Options of `as_network` that were given, taken out of all that was typed."""
    given = {name: typed.pop(name) for name in NAMES}
    # What is not given is None, or an empty tuple of an option that may be given several times.
    return {name: _form_of(name).value(value) for name, value in given.items() if value is not None and value != ()}


def activations_in(listed: str) -> str | list[str]:
    """The `activation` parameter: one name, or one for each layer with commas between them."""
    names = names_in(listed) or []
    return names[0] if len(names) == 1 else names


def network_in(
    file: Path, activation: str, in_range: tuple[float, float] | None, reading: Mapping[str, Any]
) -> ei_fast.Network:
    """The network in a file, read with these options."""
    refuse_measured(file)
    try:
        return ei_fast.as_network(file, activations_in(activation), in_range, **reading)
    except (ValueError, TypeError, OSError, MemoryError, ImportError):
        raise
    except Exception as error:
        # What a model itself raises is passed on, and is of any kind.
        first = str(error).strip().partition("\n")[0]
        raise ValueError(
            f"The model in {str(file)!r} cannot be run ({type(error).__name__}: {first}). Give input_shape=, the shape "
            "of one sample, where it takes another, or blocks=, the parts that are to be measured as they run."
        ) from error
