"""Residual blocks and gated units of a model, each put in the place of its operations as one map."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ei_fast.adapters.assemble.boxes import of_one_box
from ei_fast.adapters.assemble.intervals import interval_of
from ei_fast.adapters.assemble.patches import patches, spread
from ei_fast.adapters.assemble.regions import Region, is_join, regions
from ei_fast.adapters.blocks import range_seen
from ei_fast.adapters.graph import Block, Op, Pointwise, Recording
from ei_fast.adapters.graph.each_place import block_of
from ei_fast.network.bins import Range
from ei_fast.network.layer import Function

# Rows that a block must map by themselves as among others, and what rounding may make of that.
_TRIED = 5
_ROUNDED = {"float64": 1e-8, "float32": 1e-3}


def with_blocks_found(recording: Recording, in_range: Range) -> Recording:
    """The recording with every residual block and gated unit in one operation."""
    ops = recording.ops
    for region in regions(recording):
        whole = _whole(region, recording, in_range)
        if whole is not None:
            last = region.ops[-1]
            ops = [whole if op is last else op for op in ops if op is last or op not in region.members]
    return replace(recording, ops=ops)


def joins_found(recording: Recording) -> frozenset[Op]:
    """The sums and products that `with_blocks_found` takes into blocks."""
    if not recording.has_blocks or not any(map(is_join, recording.ops)):
        return frozenset()
    return frozenset(op for region in regions(recording) for op in region.ops if is_join(op))


def _whole(region: Region, recording: Recording, in_range: Range) -> Op | None:
    """A region as one operation; None where it makes something else of a row among others."""
    read, written = recording.values[region.entry], recording.values[region.exit]
    writer = {value: op for op in recording.ops for value in op.writes}
    derived = interval_of(region.exit, writer, {0: in_range})
    ends = _ends_of(writer[region.exit])
    out_range, rests_on = range_seen(derived, float(written.min()), float(written.max()), ends)
    again = region.ops[0].again
    assert again is not None
    run = again.joined([(op.again, op.writes) for op in region.ops], region.entry, region.exit, len(read))
    function = Function(run, read[0].size, written[0].size, out_range, name=region.name)
    if not _is_by_row(function, read, written, recording.arithmetic):
        return None
    seen = float(read.min()), float(read.max())
    shapes = (read.shape[1:], written.shape[1:])
    block = block_of(function, shapes, seen, recording.arithmetic, recording.images_first)
    if recording.images_first and block.function is function:
        box = of_one_box(block, shapes)
        block = box if box.window is None or _is_alike(box, read, written, recording.arithmetic) else block
    low, high = out_range
    what = "residual block" if region.is_sum else "gated unit"
    note = f"a {what}, found and measured as one map; its outputs are binned over ({low:.4g}, {high:.4g}): {rests_on}"
    return Op(region.name, replace(block, note=note), (region.entry,), (region.exit,))


def _ends_of(op: Op) -> Range:
    """Between which numbers what an operation gives lies, whatever goes in."""
    return op.does.activation.codomain if isinstance(op.does, Pointwise) else (-np.inf, np.inf)


def _is_alike(block: Block, read: NDArray[Any], written: NDArray[Any], arithmetic: str) -> bool:
    """Whether the map of one box is what was seen at other places, neighbours among them."""
    assert block.window is not None
    places = np.arange(read[0].size).reshape(read.shape[1:])
    inputs, at = patches(places, block.window, written.shape[2:])
    some = np.union1d(np.arange(min(len(at), _TRIED)), spread(len(at), 2 * _TRIED)).astype(np.intp)
    x = read[0].reshape(-1)[inputs[some]].astype(np.float64)
    expected = np.moveaxis(written[0], 0, -1).reshape(-1, block.function.n_out)[at[some]]
    allowed = _ROUNDED.get(arithmetic, 1e-1) * np.max(np.abs(written[0]), initial=0.0)
    return len(at) > 0 and bool(np.all(np.abs(block.function(x) - expected) <= allowed))


def _is_by_row(function: Function, read: NDArray[Any], written: NDArray[Any], arithmetic: str) -> bool:
    """Whether a part of a model gives some rows by themselves, backwards, what it was seen to give them."""
    some = read[:_TRIED].reshape(min(len(read), _TRIED), -1)[::-1].astype(np.float64)
    expected = written[:_TRIED].reshape(len(some), -1)[::-1]
    try:
        made = np.asarray(function.fn(some))
    except Exception:
        # Whatever it raises, it cannot be done again.
        return False
    allowed = _ROUNDED.get(arithmetic, 1e-1) * np.max(np.abs(expected), initial=0.0)
    return bool(np.all(np.abs(made - expected) <= allowed))
