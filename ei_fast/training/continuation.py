"""What it takes to go on with a recording in a file: the file for oneself, and the settings it was made with."""

import functools
import hashlib
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import CodeType
from typing import Any

from filelock import FileLock, Timeout

from ei_fast._version import __version__
from ei_fast.errors import Busy
from ei_fast.estimator import EffectiveInformation
from ei_fast.intervention.streams import resolve_seed
from ei_fast.network.bins import ranges_from
from ei_fast.network.layer import Function, Layer
from ei_fast.network.network import Network
from ei_fast.parameters import OWNER, RangesAndSeed
from ei_fast.results.tables import shape_of
from ei_fast.runtime.files import plain, remove_unfinished

Widths = list[tuple[str, int, int]]
Layers = list[tuple[str, int, int, *tuple[str, ...]]]
"""Name, widths and kind of every layer; in older files there is no kind."""

FREE = ("n_jobs", "verbose", "random_state")
"""Parameters that may change from one run to the next: they change no figure, or the seed is known anyway."""


def widths_of(network: Network) -> Widths:
    """Name and widths of every layer."""
    return [(str(layer.name), layer.n_in, layer.n_out) for layer in network]


def layers_of(network: Network) -> Layers:
    """Name, widths and kind of every layer: its activation and patch, or which function it is."""
    return [(str(layer.name), layer.n_in, layer.n_out, _kind_of(layer)) for layer in network]


def _kind_of(layer: Layer | Function) -> str:
    if isinstance(layer, Function):
        return f"function {_named(layer.fn)}"
    own = layer.activation.function
    # The slope of a PReLU changes in training, as weights do.
    activation = layer.activation.name if layer.activation.name == "prelu" else str(layer.activation)
    what = f"dense, {activation}" + ("" if own is None else f" {_named(own)}")
    return what if layer.patch is None else f"{what}, patch {shape_of(layer.patch)}"


def _named(function: Any) -> str:
    """What tells functions apart from one run to the next: their name and code, of an object its class.

    What a function holds, in its closure, defaults or globals, is not looked at: it may be learnt, and differ in
    every record.
    """
    if isinstance(function, functools.partial):
        return f"partial of {_named(function.func)}"
    code = getattr(function, "__code__", None)
    if code is not None:
        digest = hashlib.sha256(repr(_plain_code(code)).encode()).hexdigest()[:8]
        return f"{function.__module__}.{function.__qualname__} {digest}"
    # Functions in machine code, like NumPy's, have a name; of other objects only the class has.
    name = getattr(function, "__name__", None)
    kind = f"{type(function).__module__}.{type(function).__qualname__}"
    return kind if name is None else f"{kind} {name}"


def _plain_code(code: CodeType) -> tuple[Any, ...]:
    """What a function does: its instructions, the names that they use, and constants, inner functions among them."""
    return code.co_code, code.co_names, code.co_freevars, tuple(map(_plain_constant, code.co_consts))


def _plain_constant(constant: Any) -> Any:
    if isinstance(constant, CodeType):
        return _plain_code(constant)
    if isinstance(constant, tuple):
        return tuple(map(_plain_constant, constant))
    # A set has another order in every process.
    return sorted(map(repr, constant)) if isinstance(constant, frozenset) else constant


def check_same_layers(before: Layers, now: Layers, named: str, remedy: str) -> None:
    """Raise ValueError that names the first layer that differs; older files know names and widths only."""
    if len(before) != len(now):
        raise ValueError(f"{named} has {len(before)} layers. Got {len(now)} instead. {remedy}")
    for index, (one, other) in enumerate(zip(before, now, strict=True)):
        if one != other[: len(one)]:
            raise ValueError(f"Layer {index} of {named} is {_said(one)}. Got {_said(other)} instead. {remedy}")


def _said(layer: tuple[str, int, int, *tuple[str, ...]]) -> str:
    name, n_in, n_out, *kind = layer
    return f"{name!r}, {n_in} -> {n_out}" + "".join(f", {one}" for one in kind)


def as_given(value: Any) -> Any:
    """A parameter that went through JSON, where a pair is a list."""
    pair = isinstance(value, list) and all(isinstance(one, (int, float)) for one in value)
    return tuple(value) if pair else value


def provenance_of(
    estimator: EffectiveInformation,
    frozen: RangesAndSeed,
    layers: Layers | Widths,
    before: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """How a recording is made, as plain values: all that `continued` needs to know.

    `before` is the provenance of the records that it goes on from: other versions that measured some of them are named.
    """
    before = before or {}
    earlier = list(before.get("earlier_versions", ()))
    if before.get("ei_fast", __version__) not in (__version__, *earlier):
        earlier.append(before["ei_fast"])
    return {
        "ei_fast": __version__,
        **({"earlier_versions": earlier} if earlier else {}),
        "parameters": plain(estimator.parameters),
        "seed": frozen.seed,
        "convention": frozen.convention,
        "ranges": plain(frozen.ranges),
        "layers": plain(layers),
    }


def taken(path: Path) -> FileLock:
    """A lock on the file, which the system lets go of when the process ends, however it does.

    Raises
    ------
    Busy
        Where another recorder has it.
    """
    lock = FileLock(f"{path}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise Busy(
            f"The 'path' parameter of Recorder must be a file that no other recorder has open. Got {str(path)!r} "
            "instead. Close the other one, or give this one another file."
        ) from None
    remove_unfinished(path)
    return lock


def continued(
    known: Mapping[str, Any], estimator: EffectiveInformation, convention: str, named: str
) -> tuple[RangesAndSeed, Layers]:
    """The ranges, seed and layers of the provenance of a trajectory; `named` says which it is.

    One of an older version goes on with the ranges of its first record, as it began.

    Raises
    ------
    ValueError
        Where it was recorded with other settings, naming the first that differs.

    Warns
    -----
    UserWarning
        Where another version of ei_fast recorded it.
    """
    try:
        version = str(known["ei_fast"])
        frozen = RangesAndSeed(ranges_from(known["ranges"]), int(known["seed"]), str(known.get("convention", "first")))
        layers: Layers = [
            (str(name), int(n_in), int(n_out), *map(str, kind)) for name, n_in, n_out, *kind in known["layers"]
        ]
        # Older versions know no effort.
        before = {"effort": 1.0} | dict(known["parameters"])
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"{named} does not say how it was recorded, and cannot be continued. Begin anew.") from None
    now = plain(estimator.parameters)
    if "convention" in known:
        before, now = before | {"ranges": known["convention"]}, now | {"ranges": convention}
    differing = [name for name in now if name not in FREE and now[name] != before.get(name)]
    if estimator.random_state is not None and resolve_seed(estimator.random_state, OWNER) != frozen.seed:
        differing.append("random_state")
    if differing:
        name = differing[0]
        raise ValueError(
            f"{named} was recorded with {name}={before.get(name)!r}, and cannot be continued with "
            f"{name}={now[name]!r}. Use the same settings, or begin anew."
        )
    if version != __version__:
        warnings.warn(
            f"{named} was recorded by ei_fast {version}, and is continued by {__version__}: figures before and after "
            "this step may differ by more than their errors. Begin anew for figures of one version.",
            UserWarning,
            stacklevel=4,
        )
    return frozen, layers
