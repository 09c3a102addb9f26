"""What a model does in many operations and has one name: attention, and norms that are written out.

None of it is a layer. Here it is told which operations belong together, so that it is named once, with one reason.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ei_fast.adapters.assemble.norms import norms_in
from ei_fast.adapters.graph import Op, Recording, Role, Same, Softmax, Unknown, no_layer
from ei_fast.adapters.graph.attention import Attention, why_attention

_PRODUCTS = {"matmul", "bmm", "baddbmm", "einsum", "dot", "tensordot", "mm"}
_MOVES = {
    *("transpose", "permute", "swapaxes", "movedim", "moveaxis", "reshape", "view", "flatten"),
    *("unbind", "cat", "concatenate", "stack", "split", "chunk", "getitem"),
}
# Operations between a softmax and a product: scales, masks, dropout and casts.
_MOST_BETWEEN = 16


@dataclass
class Parts:
    """Operations that are named together.

    Attributes
    ----------
    of : dict of Op to (str, str)
        The name and the reason that each of them has.
    """

    of: dict[Op, tuple[str, str]] = field(default_factory=dict)

    @classmethod
    def in_recording(cls, recording: Recording) -> "Parts":
        """Those of a run."""
        ops = recording.alive()[0]
        readers: dict[int, list[Op]] = {}
        for op in ops:
            for value in op.reads:
                readers.setdefault(value, []).append(op)
        found = cls()
        for norm, steps in norms_in(recording, ops, readers):
            name = _module_of(steps)
            reason = no_layer(norm, 1, recording.has_blocks)
            found.of.update(dict.fromkeys(steps, (name or norm, reason)))
        writers = {value: op for op in ops for value in op.writes}
        for core in _cores(ops, readers, writers):
            name = _module_of(core) or "attention"
            steps = [*_behind(core[-1], readers), *_before(core, found.of, readers, writers, recording.outputs)]
            found.of.update(dict.fromkeys(steps, (name, why_attention(recording.has_blocks))))
        return found

    def name(self, op: Op) -> str:
        """What an operation is called in what is said of it."""
        return self.of[op][0] if op in self.of else op.name

    def once(self, skipped: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        """What was skipped, each of these parts in one line, with all that is said of its operations."""
        known = dict.fromkeys(self.of.values())
        lines: dict[tuple[str, str], list[str]] = {}
        for name, reason in skipped:
            base = next((one for one in known if one[0] == name and reason.startswith(one[1])), None)
            if base is None:
                lines.setdefault((name, reason), [])
            else:
                told = lines.setdefault(base, [])
                more = reason.removeprefix(base[1])
                told.extend([more] if more and more not in told else [])
        return [(name, reason + "".join(told)) for (name, reason), told in lines.items()]


def _cores(ops: Sequence[Op], readers: Mapping[int, Sequence[Op]], writers: Mapping[int, Op]) -> Iterable[list[Op]]:
    """Attention: in one call, or a product, the softmax of it and the product with that, and what is in between."""
    for op in ops:
        if isinstance(op.does, Attention):
            yield [op]
        elif _is_softmax(op):
            before = _path(op, lambda one: [writers[value] for value in one.reads if value in writers])
            behind = _path(op, lambda one: list(readers.get(one.writes[0], ()))[:1])
            if before is not None and behind is not None:
                yield [*before[::-1], op, *behind]


def _path(op: Op, beside: Callable[[Op], list[Op]], steps: tuple[Op, ...] = ()) -> list[Op] | None:
    """The operations from a softmax to the first product beside it; None where there is none."""
    if len(steps) == _MOST_BETWEEN:
        return None
    for following in beside(op):
        so_far = (*steps, following)
        if _is_product(following):
            return list(so_far)
        found = None if following.does.role is Role.STARTS else _path(following, beside, so_far)
        if found is not None:
            return found
    return None


def _only(readers: Sequence[Op]) -> Op | None:
    return readers[0] if len(readers) == 1 else None


def _kind(op: Op) -> str:
    """The function that an operation is, where it is not known what it does."""
    return op.does.reason.split(" ")[0] if isinstance(op.does, Unknown) else ""


def _is_softmax(op: Op) -> bool:
    return (isinstance(op.does, Softmax) and not op.does.log) or _kind(op) == "softmax"


def _is_product(op: Op) -> bool:
    return len(op.reads) > 1 and _kind(op) in _PRODUCTS


def _module_of(steps: Sequence[Op]) -> str:
    """The module that holds all of these operations; nothing where that is the model itself."""
    names = [op.name for op in steps if not isinstance(op.does, Same)]
    separator = "/" if any("/" in name for name in names) else "."
    parts = [name.split(separator) for name in names]
    same = 0
    while all(len(part) > same and part[same] == parts[0][same] for part in parts):
        same += 1
    name = separator.join(parts[0][:same])
    # What no module holds is called as the function is.
    return "" if name in _PRODUCTS or name in _FUNCTIONS else name


_FUNCTIONS = {"scaled_dot_product_attention", "dotproductattention"}


def _behind(op: Op, readers: Mapping[int, Sequence[Op]]) -> list[Op]:
    """What only moves about what attention gave."""
    steps: list[Op] = []
    inside = {op.writes[0]}
    waiting = list(readers.get(op.writes[0], ()))
    while waiting:
        following = waiting.pop(0)
        moves = isinstance(following.does, Same) or _kind(following) in _MOVES
        if moves and following not in steps and inside.issuperset(following.reads):
            steps.append(following)
            inside.update(following.writes)
            waiting += [reader for value in following.writes for reader in readers.get(value, ())]
    return steps


def _before(
    core: Sequence[Op],
    taken: Mapping[Op, object],
    readers: Mapping[int, Sequence[Op]],
    writers: Mapping[int, Op],
    outputs: Sequence[int],
) -> list[Op]:
    """The core, and all before it that nothing else reads, back to layers and to what has a name of its own."""
    inside = dict.fromkeys(core)
    waiting = list(core)
    while waiting:
        for value in waiting.pop().reads:
            op = writers.get(value)
            # What reads nothing that is known has a reason of its own.
            if op is None or op in inside or op in taken or op.does.role is Role.STARTS or not op.reads:
                continue
            seen_by = {reader for one in op.writes for reader in readers.get(one, ())}
            if seen_by.issubset(inside) and not set(op.writes).intersection(outputs):
                inside[op] = None
                waiting.append(op)
    return list(inside)
