"""From a model that can be run to a `Network`: it runs on random inputs, and its layers must do what it did."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count, zip_longest
from math import prod
from typing import Any

import numpy as np

from ei_fast.adapters.chain import Piece, assemble
from ei_fast.adapters.operations import Array, Recording, Step, Unknown
from ei_fast.network.bins import Range, check_range
from ei_fast.network.layer import Function, Layer
from ei_fast.network.network import Network

Run = Callable[[Array], Recording]
Blocks = Sequence[str] | Mapping[str, Range | None]

# Of how many rows the runs may be, by how much memory they take: unlikely as widths, since what has as many rows, and
# is not known, comes from the inputs in a way that was not seen.
_ROWS = (1021, 509, 251, 127, 61, 31, 13, 7)
# Every place of an image is another sample for a convolution.
_ROWS_OF_IMAGES = 61
_MAX_VALUES = 2**25
_BEYOND = 10.0
# Rows of which each is given to a block by itself.
_ALONE = 8
_runs = count()
# What rounding may make of a sum of products, as a share of the sum of their sizes.
_DIGITS = {"float64": 1e-8, "float32": 1e-4, "float16": 2e-2, "bfloat16": 1e-1}
# What rounding may make of an output, as a share of it.
_EPS = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}


def network_from_runs(
    run: Run,
    shape: tuple[int, ...],
    in_range: Range,
    check: bool,
    block_names: Sequence[str] = (),
    probed: Recording | None = None,
) -> Network:
    """The layers of a model, in the order in which it runs them.

    Parameters
    ----------
    run : callable
        Runs the model on inputs (rows, *shape) and writes down what it does.
    check : bool
        Whether every layer is compared with the model on random inputs, inside `in_range` and beyond it.
    block_names : sequence of str
        What the user wants measured as a block.
    probed : Recording, optional
        Of a run on a few inputs, where there has been one; it is all that it takes where nothing is compared.

    Raises
    ------
    TypeError, ValueError
        Naming the layer or parameter, the rule and the remedy. What the model itself raises comes through.
    """
    # What is kept of a run is every value, and how many there are is not known before.
    probed = probed or run(random_inputs(in_range, 2, shape))
    if not check and not block_names and _tells_all(probed):
        network, _ = assemble(probed, in_range)
        return network
    kept = sum(prod(probed.shape(value)) for value in probed.values)
    fitting = (n for n in _ROWS if n * kept <= _MAX_VALUES and (len(shape) < 3 or n <= _ROWS_OF_IMAGES))
    rows = next(fitting, _ROWS[-1])
    recording = run(random_inputs(in_range, rows, shape))
    network, pieces = assemble(recording, in_range)
    missing = [name for name in block_names if name not in recording.blocks]
    if missing:
        raise ValueError(
            f"The 'blocks' parameter must name modules that the model runs on its input. Got {missing[0]!r}, "
            "which it does not run, or runs inside another block."
        )
    if check:
        verify(pieces, recording)
        path = recording.path
        # Before there is another.
        del recording
        beyond = _run_beyond(run, in_range, rows, shape)
        if beyond.path != path:
            raise ValueError(
                f"The model does not do the same for all inputs: {_where_they_part(path, beyond.path)}. "
                "Name the module that decides in 'blocks' to measure it whole, or use verify=False to measure what it "
                "does inside in_range."
            )
        verify(pieces, beyond)
    return network


def _run_beyond(run: Run, in_range: Range, rows: int, shape: tuple[int, ...]) -> Recording:
    """A run on inputs of which many lie outside `in_range`."""
    low, high = in_range
    middle, half = 0.5 * (low + high), 0.5 * _BEYOND * (high - low)
    try:
        return run(random_inputs((middle - half, middle + half), rows, shape))
    except Exception as error:
        error.add_note(
            f"Raised for inputs beyond in_range, from {middle - half:.4g} to {middle + half:.4g}, for which layers are "
            "compared with the model as well. Where it takes none of these, use verify=False."
        )
        raise


def _tells_all(recording: Recording) -> bool:
    """Whether nothing in a run can be owed to the number of its rows: all was understood, and no width is the same."""
    rows = len(recording.values[0])
    return rows in _ROWS and all(
        not isinstance(op.does, Unknown) and all(rows not in recording.shape(value) for value in op.writes)
        for op in recording.ops
    )


@contextmanager
def draws_left_to_the_caller() -> Iterator[None]:
    """After this, Python and NumPy draw what they would have drawn; within it, each time something else.

    What is drawn when a model runs is no weight of it, and is found out by that.
    """
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    seed = next(_runs)
    try:
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002


def random_inputs(in_range: Range, rows: int, shape: Sequence[int]) -> Array:
    """The same whenever they are drawn, (rows, *shape)."""
    return np.random.default_rng(0).uniform(*in_range, (rows, *shape))


def check_shape(input_shape: Any) -> tuple[int, ...]:
    """Return `input_shape` if it is the shape of a sample, or say why not."""
    shape = tuple(input_shape) if isinstance(input_shape, Sequence) else ()
    if not shape or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in shape):
        raise ValueError(
            f"The 'input_shape' parameter of as_network must be integers >= 1, those of one sample. "
            f"Got {input_shape!r} instead."
        )
    return shape


def check_blocks(blocks: Blocks, known: Sequence[str]) -> dict[str, Range | None]:
    """The output ranges of the modules to be measured as blocks, by name, or why not."""
    rule = "The 'blocks' parameter must be a list of module names, or a dict of module names and output ranges"
    if isinstance(blocks, str) or not isinstance(blocks, (Mapping, list, tuple, set, frozenset)):
        raise TypeError(f"{rule}. Got {blocks!r} instead.")
    ranges = dict(blocks) if isinstance(blocks, Mapping) else dict.fromkeys(blocks)
    for name, limits in ranges.items():
        if name not in known:
            raise ValueError(f"{rule}. Got {name!r}, which the model does not have; it has {', '.join(known)}.")
        if limits is not None:
            ranges[name] = check_range(limits, f"blocks[{name!r}]", "as_network")
    return ranges


def range_of_block(name: str, given: Range | None, derived: Range | None, low: float, high: float) -> Range:
    """The output range of a block whose outputs were seen from `low` to `high`: the one given, or else derived.

    Raises
    ------
    ValueError
        Where the one that was given holds none of the outputs, or there is none.
    """
    seen = f"For inputs drawn at random its outputs are from {low:.3g} to {high:.3g}."
    if given is not None and (high < given[0] or low > given[1]):
        raise ValueError(f"The output range of the block {name!r} must hold its outputs. Got {given} instead. {seen}")
    if derived is not None and not derived[0] <= low <= high <= derived[1]:
        derived = None
    out_range = given or derived
    if out_range is None:
        raise ValueError(
            f"The output range of the block {name!r} cannot be derived. {seen} Give it, as "
            f"blocks={{{name!r}: {_around(low, high)}}}."
        )
    return out_range


def _around(low: float, high: float) -> Range:
    """A range in few digits that holds another."""
    step = 10.0 ** np.floor(np.log10(max(high - low, 1e-6 * max(abs(low), abs(high), 1.0)))) / 10.0
    return float(f"{np.floor(low / step - 0.5) * step:.6g}"), float(f"{np.ceil(high / step + 0.5) * step:.6g}")


def verify(pieces: Sequence[Piece], recording: Recording) -> None:
    """Raise ValueError where a layer does not do what the model was seen to do."""
    for piece in pieces:
        layer = piece.layer
        x, expected = recording.rows(piece.start, piece.inputs), recording.rows(piece.end, piece.outputs)
        # What overflows in the model's arithmetic shows nothing, and makes everything look small.
        shown = np.isfinite(x).all(axis=1) & np.isfinite(expected).all(axis=1)
        x, expected = x[shown], expected[shown]
        if not len(x):
            raise ValueError(
                f"Layer {layer.name!r} cannot be compared with the model's, which is not finite on random inputs. Give "
                "an 'in_range' on which it is, or use verify=False."
            )
        allowed = _allowed(layer, x, expected, recording.arithmetic)
        with np.errstate(over="ignore", invalid="ignore"):
            off = np.abs(layer(x) - expected)
        if not np.all(off <= allowed):
            remedy = (
                "Name it, or the module around it, in 'blocks' to measure it as it runs."
                if recording.has_blocks
                else "Measure what holds it as a Function of your own."
            )
            raise ValueError(
                f"Layer {layer.name!r} as extracted differs from the model's by up to {np.max(off):.3g} on random "
                f"inputs: it would be measured wrongly. {remedy}"
            )
        if isinstance(layer, Function):
            _check_row_by_row(layer, x, expected, allowed)


def _allowed(layer: Layer | Function, x: Array, expected: Array, arithmetic: str) -> Array:
    """What rounding may make of the outputs, (m, n_out)."""
    of_sums = _DIGITS[arithmetic] * _size_of_sums(layer, x, expected)
    allowed = np.full(expected.shape, of_sums + 64 * _EPS[arithmetic] * np.max(np.abs(expected), initial=0.0))
    if isinstance(layer, Layer):
        # A steep activation makes more of an error than there was.
        sums = x @ layer.weight + layer.bias
        with np.errstate(over="ignore"):
            low, high = layer.activation(sums - of_sums), layer.activation(sums + of_sums)
        allowed = np.maximum(allowed, np.abs(high - low))
    return allowed


def _size_of_sums(layer: Layer | Function, x: Array, expected: Array) -> float:
    """What rounding is a share of; of a map that does not tell, the size of its outputs."""
    tells = layer if isinstance(layer, Layer) else layer.fn
    if hasattr(tells, "size_of_sums"):
        return tells.size_of_sums(x)
    return float(np.max(np.abs(expected), initial=0.0))


def _check_row_by_row(layer: Function, x: Array, expected: Array, allowed: Array) -> None:
    """Raise ValueError where what a map makes of a row depends on the other rows, or on their number."""
    few = len(x) // 3
    again = np.concatenate([layer(x[:few]), layer(x[few:][::-1])[::-1]])
    alone = range(0, len(x), max(1, len(x) // _ALONE))
    by_itself = np.concatenate([layer(x[k : k + 1]) for k in alone])
    if not (
        np.all(np.abs(again - expected) <= allowed) and np.all(np.abs(by_itself - expected[alone]) <= allowed[alone])
    ):
        raise ValueError(
            f"The block {layer.name!r} must map every row by itself. What it makes of one depends on the others, or on "
            "what it did before. It has no effective information; name a smaller block."
        )


def _where_they_part(one: Sequence[Step], other: Sequence[Step]) -> str:
    after = "the input"
    for first, second in zip_longest(one, other):
        if first != second:
            break
        after = repr(first[0])
    told = " or ".join("ended" if step is None else f"went on with {step[0]!r}" for step in (first, second))
    return f"after {after} it {told}"
