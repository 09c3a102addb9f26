"""Which outputs of which dense layer are each head's: seen from where numbers go while the model runs.

Every number that a dense map gives has a label, its place in what the map gave. What moves numbers about, as views,
transposes and splits do, moves the labels likewise; what changes each of them leaves it its label. So, where attention
multiplies queries with keys, the labels say which outputs of which maps these are. What is claimed of the products of
two maps is held against the numbers that were seen.
"""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.overrides import TorchFunctionMode

from ei_fast.adapters.heads import Columns, Head, Heads, Use
from ei_fast.adapters.torch.attention import ATTENDS, MULTI_HEAD
from ei_fast.adapters.torch.call import Call, numbers_of, tensors_in
from ei_fast.adapters.torch.each import makes_anew
from ei_fast.adapters.torch.labels import Label, Move, arranged, followed
from ei_fast.adapters.torch.operands import PER_SOURCE, Operand, Source

# Which arguments are what is projected and the weights.
_PROJECTS = {"linear": (0, 1), "addmm": (1, 2), "matmul": (0, 1), "mm": (0, 1)}
_PRODUCTS = {"matmul", "bmm", "baddbmm", "einsum"}
_NONE: Columns = np.empty(0, dtype=np.intp)
_SAYS_HEADS = ("num_heads", "num_attention_heads", "n_heads", "n_head", "nhead")


@dataclass
class _Attention:
    """An attention that was seen.

    Attributes
    ----------
    heads : list of (columns, columns, columns)
        Of each head, which outputs of the maps are its queries, keys and values.
    uses : tuple
        The maps of these.
    head_of, within : ndarray of int
        Of every number that it gave: the head, and which of the head's.
    """

    name: str
    heads: list[tuple[Columns, Columns, Columns]]
    uses: tuple[Use, Use, Use]
    qk: str = ""
    ov: str = ""
    out: Use | None = None
    rows: list[Columns] = field(default_factory=list)
    head_of: Columns = field(default_factory=lambda: _NONE)
    within: Columns = field(default_factory=lambda: _NONE)

    def told(self) -> Heads:
        rows = self.rows or [_NONE] * len(self.heads)
        heads = [Head(q, k, v, out) for (q, k, v), out in zip(self.heads, rows, strict=True)]
        of_q, of_k, of_v = self.uses
        return Heads(self.name, heads, of_q, of_k, of_v, self.out, self.qk, self.ov)


@dataclass(eq=False)
class HeadWatch(TorchFunctionMode):
    """Follows what dense maps give to where attention reads it.

    Attributes
    ----------
    inputs : sequence of tensor
        What goes into the model.
    blocks : collection of str
        Modules into which is not looked.
    """

    inputs: Sequence[torch.Tensor]
    blocks: Sequence[str]
    _labels: dict[int, Label] = field(default_factory=dict)
    _sources: list[Source] = field(default_factory=list)
    # By the number of the source.
    _uses: dict[int, Use] = field(default_factory=dict)
    _given_by: dict[int, _Attention] = field(default_factory=dict)
    _scores: list[tuple[Operand, Operand]] = field(default_factory=list)
    _counts: dict[str, int] = field(default_factory=dict)
    _modules: list[str] = field(default_factory=list)
    _found: list[_Attention] = field(default_factory=list)

    # What depends on the model's input; kept, so that none is taken for another that had its place in memory.
    _depends: dict[int, torch.Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()
        self._depends.update((id(one), one) for one in self.inputs)

    def heads(self, model: nn.Module) -> list[Heads]:
        """Of each attention that was seen.

        Raises
        ------
        ValueError
            Where a module of the model says that it has another number of heads.
        """
        modules = dict(model.named_modules())
        for one in self._found:
            given = (getattr(modules.get(one.name), name, None) for name in _SAYS_HEADS)
            said = next((n for n in given if isinstance(n, int)), len(one.heads))
            if said != len(one.heads):
                raise ValueError(
                    f"With heads=True a module must attend with as many heads as it says. Got {one.name!r}, which says "
                    f"{said} and was seen to attend with {len(one.heads)}. Leave 'heads' out to measure its "
                    "projections whole."
                )
        return [one.told() for one in self._found]

    def enter(self, name: str) -> None:
        """What follows is done by the module of that name."""
        self._modules.append(name)

    def leave(self, name: str, module: nn.Module, args: Any, kwargs: Any, result: Any) -> None:
        """The module has returned."""
        self._modules.pop()

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        call = Call(function, args, kwargs or {})
        result = function(*args, **call.kwargs)
        if any(id(one) in self._depends for one in call.tensors) and not makes_anew(call.name, (0,)):
            self._depends.update((id(one), one) for one in tensors_in(result))
        if not any(module in self.blocks for module in self._modules):
            self._follow(call, result)
        return result

    @property
    def _module(self) -> str:
        return self._modules[-1] if self._modules else ""

    def _follow(self, call: Call, result: Any) -> None:
        name = call.name
        if name == MULTI_HEAD:
            self._multi_head(call)
        elif name == ATTENDS:
            self._attends(call, result)
        elif not (name in _PRODUCTS and self._multiplies(call, result)) and not (
            name in _PROJECTS and self._projects(call, result)
        ):
            self._keep_labels(call, result)

    def _keep_labels(self, call: Call, result: Any) -> None:
        """Give labels to what moved or changed numbers that have them."""
        made = tensors_in(result)
        if result is None and call.name in ("setitem", "set"):
            self._labels.pop(id(call.args[0]), None)
        for tensor in made:
            if id(tensor) in self._labels and not any(tensor is one for one in call.tensors):
                del self._labels[id(tensor)]
        labels = followed(call, made, self._label, self._depends) if made else None
        for label in labels or []:
            self._labels[id(label.tensor)] = label

    def _label(self, value: Any) -> Label | None:
        return self._labels.get(id(value))

    def _use(self, name: str) -> Use:
        self._counts[name] = self._counts.get(name, 0) + 1
        return name, self._counts[name] - 1

    def _source(self, made: torch.Tensor) -> int:
        """The number of what gave this, whose numbers get labels."""
        number = len(self._sources)
        self._sources.append(Source(numbers_of(made).astype(np.float64).reshape(-1), made.shape[-1]))
        labels = number * PER_SOURCE + torch.arange(made.numel()).reshape(made.shape)
        self._labels[id(made)] = Label(made, labels)
        return number

    def _projects(self, call: Call, result: torch.Tensor) -> bool:
        """Take a dense map for what it is; whether it is one."""
        at, of = _PROJECTS[call.name]
        x = call.given(at, "input", call.given(at, "mat1"))
        weight = call.given(of, "weight", call.given(of, "other", call.given(of, "mat2")))
        if not isinstance(x, torch.Tensor) or not isinstance(weight, torch.Tensor) or weight.dim() != 2:
            return False
        if self._label(weight) is not None or not result.is_floating_point():
            return False
        use = self._use(self._module or call.name)
        label = self._label(x)
        if label is not None and label.kind == "place":
            self._takes(use, numbers_of(x).astype(np.float64), label.labels.numpy())
        self._uses[self._source(result)] = use
        return True

    def _takes(self, use: Use, x: NDArray[np.float64], labels: NDArray[np.int64]) -> None:
        """A dense map reads what may be an attention's: tell which of its rows take which head."""
        given = Operand(x.reshape(-1, x.shape[-1]), labels.reshape(-1, x.shape[-1]))
        source = given.source
        found = None if source is None else self._given_by.get(source)
        if source is None or found is None or found.out is not None or given.labels is None:
            return
        place, has = given.labels % PER_SOURCE, given.labels >= 0
        heads, within = (np.where(has, of[np.where(has, place, 0)], -1) for of in (found.head_of, found.within))
        if (heads != heads[:1]).any() or (within != within[:1]).any():
            return
        rows = [np.flatnonzero(heads[0] == number) for number in range(len(found.heads))]
        found.out, found.rows = use, [row[np.argsort(within[0][row], kind="stable")] for row in rows]
        if any(len(row) != len(columns[2]) for row, columns in zip(rows, found.heads, strict=True)):
            found.ov = found.ov or "not all that its heads give is projected"
        elif not given.is_as_made(self._sources[source]):
            found.ov = found.ov or "what its heads give is changed before it is projected"

    def _multi_head(self, call: Call) -> None:
        """PyTorch's own attention, whose heads are told."""
        given = inspect.signature(call.function).bind(*call.args, **call.kwargs).arguments
        base = self._module or "attention"
        columns = list(np.arange(int(given["embed_dim_to_check"])).reshape(int(given["num_heads"]), -1))
        q, k, v, out = (self._use(f"{base}.{part}") for part in ("q", "k", "v", "out_proj"))
        self._found.append(_Attention(base, [(one, one, one) for one in columns], (q, k, v), out=out, rows=columns))

    def _operand(self, tensor: torch.Tensor, move: Move | None = None) -> Operand:
        label = self._label(tensor)
        labels = label.labels if label is not None and label.kind == "place" else None
        if move is not None:
            tensor, labels = move(tensor), None if labels is None else move(labels)
        return Operand(numbers_of(tensor).astype(np.float64), None if labels is None else labels.numpy())

    def _attends(self, call: Call, result: torch.Tensor) -> None:
        """Attention in one call."""
        q, k, v = (self._operand(call.given(n, key)) for n, key in enumerate(("query", "key", "value")))
        if call.kwargs.get("enable_gqa") and q.values.ndim > 2:
            k, v = k.repeated(q.values.shape[-3]), v.repeated(q.values.shape[-3])
        lead = tuple(result.shape[:-2])
        self._attention((q.over(lead), k.over(lead)), v.over(lead), result, None)

    def _multiplies(self, call: Call, result: torch.Tensor) -> bool:
        """Follow a product of two values that have labels; whether it is one."""
        pair = [one for one in call.tensors if self._label(one) is not None]
        labels = [label for one in pair if (label := self._label(one)) is not None]
        if len(pair) != 2:
            return False
        equation = call.args[0] if call.name == "einsum" else None
        known = equation is None or isinstance(equation, str)
        moves = arranged(equation, (pair[0].dim(), pair[1].dim())) if known else None
        if moves is None:
            return True
        first, second, back = moves
        if labels[0].kind == labels[1].kind == "place":
            self._score(self._operand(pair[0], first), self._operand(pair[1], lambda x: second(x).mT), result, back)
        elif labels[0].kind == "weights" and labels[1].kind == "place":
            groups = first(labels[0].labels)[..., 0, 0].numpy()
            number = int(groups.flat[0]) // PER_SOURCE
            if (groups >= 0).all() and (groups // PER_SOURCE == number).all():
                q, k = (one.picked(groups % PER_SOURCE) for one in self._scores[number])
                v = self._operand(pair[1], second).over(groups.shape)
                self._attention((q, k), v, result, back)
                if labels[0].is_mixed and self._found:
                    self._found[-1].qk = "scores have other parts that depend on the model's input"
        return True

    def _score(self, q: Operand, k: Operand, result: torch.Tensor, back: Move) -> None:
        """Queries were multiplied with keys: what came of it has as label of which group it is."""
        lead = np.broadcast_shapes(q.values.shape[:-2], k.values.shape[:-2])
        number = len(self._scores)
        self._scores.append((q.over(lead), k.over(lead)))
        groups = torch.arange(int(np.prod(lead, dtype=int))).reshape(*lead, 1, 1)
        labels = (number * PER_SOURCE + groups).expand(*lead, q.values.shape[-2], k.values.shape[-2])
        self._labels[id(result)] = Label(result, back(labels), "scores")

    def _attention(self, scores: tuple[Operand, Operand], v: Operand, result: torch.Tensor, back: Move | None) -> None:
        """Take down an attention, and give labels to what it gave."""
        q, k = scores
        sources = [one.source for one in (q, k, v)]
        if any(source is None or source not in self._uses for source in sources):
            return
        made = [self._sources[source] for source in sources if source is not None]
        columns = [one.columns(of.width) for one, of in zip((q, k, v), made, strict=True)]
        if any(one is None for one in columns):
            return
        each = list(zip(*(one for one in columns if one is not None), strict=True))
        numbers: dict[tuple[bytes, ...], int] = {}
        number_of = [numbers.setdefault(tuple(one.tobytes() for one in key), len(numbers)) for key in each]
        heads = [each[number_of.index(number)] for number in range(len(numbers))]
        of_q, of_k, of_v = (self._uses[source] for source in sources if source is not None)
        found = _Attention(self._module or "attention", heads, (of_q, of_k, of_v))
        found.qk = q.product(k, (made[0], made[1]))
        found.ov = "" if v.is_as_made(made[2]) else "values are changed before they are mixed"
        shape = (*v.values.shape[:-2], q.values.shape[-2], v.values.shape[-1])
        of_group = torch.tensor(number_of).reshape(*shape[:-2], 1, 1).expand(shape)
        within = torch.arange(shape[-1]).expand(shape)
        found.head_of, found.within = (
            (one if back is None else back(one)).reshape(-1).numpy() for one in (of_group, within)
        )
        self._found.append(found)
        self._given_by[self._source(result)] = found
