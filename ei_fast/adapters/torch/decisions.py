"""What models of PyTorch decide by what they compute: numbers that Python reads out of tensors, as an ``if`` does.

Where else such a model might have gone is not seen in a run. So the answers that it gets are turned, one after the
other: where it then does something else, what it does depends on them. An assertion raises then, and what is only
written down or logged changes nothing: neither is a matter for what is measured. What says that numbers are finite is
no answer at all, since they are, wherever anything is measured.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import numpy as np
import torch

from ei_fast.adapters.graph import Affine, Conv, Dense, Op, Pointwise, Recording
from ei_fast.adapters.sources import Source
from ei_fast.network.bins import Range

READ_OUT = {
    "bool", "int", "float", "complex", "index", "item", "tolist", "numpy", "array", "contains", "is_nonzero", "equal",
    "allclose", "local_scalar_dense",
}  # fmt: skip
"""Functions that hand out numbers of a tensor, where nobody sees what becomes of them."""

OF_FINITE = {"isfinite", "isnan", "isinf", "isposinf", "isneginf"}
"""Functions that say the same of all numbers that are finite."""

# What says how long a tensor is, and what makes one whose length is told by numbers.
_LENGTHS = {"len", "numel", "nelement", "size", "get"}
_CHOOSING = {"nonzero", "argwhere", "masked_select", "unique", "unique_consecutive"}
# Places in the code of which it is tried whether they matter.
_MOST_TRIED = 16
# How many times more than usual a model may call before it is taken to go on for ever.
_MOST_CALLS = 50
# Beyond all that a model may ask for; of whole numbers, with which it may repeat something, in bounds.
_FAR, _FAR_WHOLE = 1e30, 10**6

Run = Callable[[Any, "Mapping[int, Any] | None"], Recording]


@dataclass(frozen=True)
class ReadOut:
    """Numbers that were read out of a tensor.

    Attributes
    ----------
    module : str
        Name of the module that read them.
    what : str
        With which function.
    where : str
        In which function of the model's code, and in which line.
    answer : object
        What was read.
    """

    module: str
    what: str
    where: str
    answer: Any

    @property
    def place(self) -> tuple[str, str, str]:
        return self.module, self.what, self.where


@dataclass
class ReadOuts:
    """All that a run reads out of tensors.

    Attributes
    ----------
    instead : dict of int to object
        What is answered instead, by how many answers were given before.
    """

    instead: Mapping[int, Any] = field(default_factory=dict)
    found: list[ReadOut] = field(default_factory=list)
    _n_calls: int = 0
    _calls_until_turned: int = 0
    # Tensors whose length is told by numbers; the tensors are kept by who watches.
    _chosen: set[int] = field(default_factory=set)

    def called(self) -> None:
        """The model has called a function: raise RuntimeError where it does not end when it is answered otherwise."""
        self._n_calls += 1
        if self._calls_until_turned and self._n_calls > _MOST_CALLS * (self._calls_until_turned + 100):
            raise RuntimeError("It does not end.")

    def answered(self, module: str, name: str, given: Sequence[torch.Tensor], answer: Any) -> Any:
        """What the model gets for its question."""
        asks_length = name in _LENGTHS and isinstance(answer, int | torch.Size)
        if name not in READ_OUT and not (asks_length and any(id(one) in self._chosen for one in given)):
            return answer
        self.found.append(ReadOut(module, name, _place_in_code(), answer))
        number = len(self.found) - 1
        if number not in self.instead:
            return answer
        self._calls_until_turned = self._n_calls
        return self.instead[number]

    def made(self, name: str, given: Sequence[torch.Tensor], written: Sequence[torch.Tensor]) -> None:
        """A function has made tensors of others."""
        by_mask = name == "getitem" and any(one.dtype == torch.bool for one in given[1:])
        by_place = name == "where" and len(given) == 1
        if name in _CHOOSING or by_mask or by_place or any(id(one) in self._chosen for one in given):
            self._chosen.update(id(one) for one in written if one.dim())

    def let_go(self, identities: Iterable[int]) -> None:
        """Tensors with these identities are gone; others may have them."""
        self._chosen.difference_update(identities)


def _place_in_code() -> str:
    """The function of the model that is running, and its line."""
    frame = sys._getframe(1)
    while frame.f_back is not None and _is_not_the_models(frame.f_globals.get("__name__", "")):
        frame = frame.f_back
    return f"{frame.f_code.co_name}, line {frame.f_lineno}"


def _is_not_the_models(module: str) -> bool:
    return module.startswith("ei_fast.adapters.torch") or module in ("torch._tensor", "torch.overrides")


def decisions(run: Run, source: Source, in_range: Range, check: bool) -> list[tuple[str, str]]:
    """What a model decides by what it computes, as name and what is to be said of it.

    Parameters
    ----------
    check : bool
        Whether samples that stand alone are to go where others go.

    Raises
    ------
    ValueError
        Where they do not.
    """
    inputs = source.few(in_range)
    usual = run(inputs, None)
    if check:
        _check_alike(usual, (run(sample, None) for sample in source.alone(in_range)))
    return [
        (read.module or read.what, _said(read, differs))
        for number, read in _first_of_each_place(usual.read_out)
        if (differs := _changed_by(run, inputs, usual, number, read)) is not None
    ]


def _first_of_each_place(read_out: Sequence[ReadOut]) -> list[tuple[int, ReadOut]]:
    found: dict[tuple[str, str, str], tuple[int, ReadOut]] = {}
    for number, read in enumerate(read_out):
        found.setdefault(read.place, (number, read))
    return list(found.values())[:_MOST_TRIED]


def _changed_by(run: Run, inputs: Any, usual: Recording, number: int, read: ReadOut) -> "tuple[str, str] | None":
    """Where the model goes usually, and where with another answer; None where nothing that it does depends on it."""
    for other in _others(read.answer):
        try:
            turned = run(inputs, {number: other})
        except Exception:
            # It asserts that the answer is what it is.
            continue
        differs = _where_they_part(usual, turned)
        if differs is not None:
            return differs
    return None


def _others(answer: Any) -> list[Any]:
    """What might have been answered."""
    if isinstance(answer, (bool, np.bool_)):
        return [not answer]
    if isinstance(answer, int):
        far = 10 * abs(answer) + _FAR_WHOLE
        return [other for other in (answer + 1, answer - 1, 0, 1, -far, far) if other != answer]
    if isinstance(answer, float):
        return [-abs(answer) - 1.0, 10.0 * abs(answer) + 1.0, -_FAR, _FAR]
    if isinstance(answer, torch.Size):
        return [torch.Size((n, *answer[1:])) for n in (0, 1, answer[0] + 1) if n != answer[0]] if answer else []
    if isinstance(answer, np.ndarray):
        return _other_arrays(answer)
    if isinstance(answer, list):
        several = [_others(one) for one in answer]
        return [[of_one[k] for of_one in several] for k in range(min(map(len, several), default=0))]
    return []


def _other_arrays(answer: np.ndarray) -> list[np.ndarray]:
    if answer.dtype == bool:
        return [~answer]
    far = _FAR if answer.dtype.kind == "f" else 100
    size = np.abs(answer)
    return [(sign * made).astype(answer.dtype) for made in (5 * size + 1, size + far) for sign in (-1, 1)]


def _where_they_part(usual: Recording, other: Recording) -> tuple[str, str] | None:
    """What one run does and another does not, as far as that is told; None where they do the same."""
    steps = zip_longest(_done(usual), _done(other))
    where = next((k for k, (one, another) in enumerate(steps) if one != another), None)
    return None if where is None else (_goes_on(usual.ops[where:]), _goes_on(other.ops[where:]))


def _goes_on(ops: Sequence[Op]) -> str:
    if not ops:
        return "ends"
    name, does = ops[0].name, ops[0].does
    activation = str(does.activation) if isinstance(does, Pointwise) else name
    return f"goes on with {name!r}" + (f" ({activation})" if activation != name else "")


def _done(recording: Recording) -> list[tuple[Any, ...]]:
    """What a run does, the numbers of which maps and activations are made among it."""
    return [(op.name, type(op.does).__name__, op.reads, op.writes, _numbers_of(op.does)) for op in recording.ops]


def _numbers_of(does: Any) -> tuple[Any, ...]:
    if isinstance(does, Affine):
        return np.asarray(does.scale).tobytes(), np.asarray(does.shift).tobytes()
    if isinstance(does, (Dense, Conv)):
        return does.weight.tobytes(), does.bias.tobytes()
    return (str(does.activation),) if isinstance(does, Pointwise) else ()


def _check_alike(usual: Recording, others: Iterator[Recording]) -> None:
    """Raise ValueError where a model does something else for a sample that stands alone."""
    for other in others:
        differs = _where_they_part(usual, other)
        if differs is None:
            continue
        places = ", ".join(dict.fromkeys(f"{read.what!r} in {read.where}" for read in usual.read_out))
        if differs[0] != differs[1]:
            raise ValueError(
                f"The model decides by numbers that it reads out of its tensors ({places}), and does not do the same "
                f"for all inputs: it {differs[0]} for a batch, and {differs[1]} for a sample of it alone. Name the "
                "module that decides in 'blocks' to measure it whole, where it decides for each sample by itself, or "
                "use verify=False to measure what it does for a batch of random inputs."
            )
        raise ValueError(
            f"The model computes with numbers that it reads out of its tensors ({places}), so that what it does to a "
            f"sample depends on them: it {differs[0]} with other numbers for a batch than for a sample of it alone. "
            "Leave them in tensors, which shows what is computed of them, or use verify=False to measure what it does "
            "to a batch of random inputs."
        )


def _said(read: ReadOut, differs: tuple[str, str]) -> str:
    asks = f"the model reads numbers out of its tensors ({read.what!r} in {read.where}), and goes by them: "
    how = f"with others it {differs[1]} where it {differs[0]}"
    if differs[0] == differs[1]:
        how = f"with others it {differs[0]} in another way"
    return f"{asks}{how}; measured is what it does on random inputs"


def is_finite(tensors: Sequence[torch.Tensor]) -> bool:
    """Whether all numbers are finite."""
    return all(bool(torch.isfinite(tensor).all()) for tensor in tensors)
