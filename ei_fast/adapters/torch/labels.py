"""Labels that numbers of tensors keep while they are moved about or changed one by one."""

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ei_fast.adapters.torch.call import Call, tensors_in

Move = Callable[[torch.Tensor], torch.Tensor]

_MOVE = {
    "transpose", "permute", "swapaxes", "swapdims", "movedim", "moveaxis", "expand", "expand_as", "repeat",
    "repeat_interleave", "split", "chunk", "tensor_split", "unbind", "getitem", "narrow", "select", "cat", "concat",
    "concatenate", "stack", "T", "mT", "t", "roll", "flip", "broadcast_to", "index_select", "hsplit", "vsplit",
    "dsplit", "get", "split_with_sizes", "unsafe_split", "unsafe_chunk", "tile",
}  # fmt: skip
_RESHAPE = {"view", "reshape", "view_as", "reshape_as", "flatten", "unflatten", "squeeze", "unsqueeze", "ravel"}
_LEAVE = {"to", "type", "type_as", "float", "double", "half", "bfloat16", "contiguous", "clone", "detach", "alias"}
_CHANGE = {
    "mul", "add", "sub", "div", "neg", "masked_fill", "where", "dropout", "tanh", "clamp", "clip", "sigmoid", "relu",
    "gelu", "silu", "exp", "softmax", "layer_norm", "rms_norm", "normalize", "identity", "pow", "elu", "softplus",
    "nan_to_num", "feature_dropout", "alpha_dropout", "native_dropout",
}  # fmt: skip


@dataclass(frozen=True)
class Label:
    """The labels of a tensor's numbers, -1 where there is none.

    Attributes
    ----------
    tensor : tensor
        Kept, so that none is taken for another that had its place in memory.
    labels : tensor of int
        Of its shape.
    kind : str
        "place" of a number in what a map gave, "scores" of a group of queries and keys, or "weights" of such.
    is_mixed : bool
        Whether something else that depends on the model's input was added to scores.
    """

    tensor: torch.Tensor
    labels: torch.Tensor
    kind: str = "place"
    is_mixed: bool = False


def followed(
    call: Call, made: Sequence[torch.Tensor], label_of: Callable[[Any], Label | None], depends: Container[int]
) -> list[Label] | None:
    """The labels of what a function made of tensors that have some; None where these are lost.

    Parameters
    ----------
    depends : collection of int
        Identities of the tensors that depend on the model's input.
    """
    known = [label for tensor in call.tensors if (label := label_of(tensor)) is not None]
    of_scores = [label for label in known if label.kind == "scores"]
    # What is no score of a product with keys is something else that is added to them.
    known = of_scores or known
    if not known or len({label.kind for label in known}) > 1:
        return None
    labels = _labels_of(call, known, made, label_of)
    if [one.shape for one in labels] != [one.shape for one in made]:
        return None
    of = {id(label.tensor) for label in known}
    beside = [one for one in call.tensors if id(one) in depends and id(one) not in of and one.is_floating_point()]
    is_sum = bool(beside) and call.name in ("add", "sub")
    kind = known[0].kind
    if is_sum and kind == "place":
        # As the sum with what goes past the attention.
        return None
    if kind == "scores" and call.name == "softmax":
        kind = "weights" if call.given(1, "dim") in (-1, made[0].dim() - 1) else "lost"
    is_mixed = is_sum or any(label.is_mixed for label in known)
    return [Label(tensor, one, kind, is_mixed) for tensor, one in zip(made, labels, strict=True)]


def _labels_of(
    call: Call, known: Sequence[Label], made: Sequence[torch.Tensor], label_of: Callable[[Any], Label | None]
) -> list[torch.Tensor]:
    """The labels of each tensor that was made; none where these are lost."""
    first = known[0].labels
    if call.name in _LEAVE:
        return [first]
    if call.name in _RESHAPE:
        return [first.reshape(made[0].shape)] if made[0].numel() == first.numel() else []
    if call.name == "view_as_complex":
        return _in_pairs(first)
    if call.name == "view_as_real":
        return [torch.stack([first, first + 1], -1)]
    if call.name in _MOVE:
        return _moved(call, label_of)
    return _changed(known, made[0]) if call.name in _CHANGE else []


def _moved(call: Call, label_of: Callable[[Any], Label | None]) -> list[torch.Tensor]:
    """The labels, moved as the numbers were."""

    def labels_in(values: Any) -> Any:
        if isinstance(values, torch.Tensor):
            label = label_of(values)
            if label is None:
                # What is put beside the others is nobody's; what says where to move is itself.
                return torch.full(values.shape, -1) if values.is_floating_point() else values
            return label.labels
        return type(values)(labels_in(one) for one in values) if type(values) in (list, tuple) else values

    kwargs = {key: labels_in(value) for key, value in call.kwargs.items()}
    try:
        return tensors_in(call.function(*labels_in(call.args), **kwargs))
    except Exception:
        # Whatever it raises: it takes no whole numbers.
        return []


def _in_pairs(labels: torch.Tensor) -> list[torch.Tensor]:
    """Of numbers that become one, the label of the first where that of the second is the next."""
    return [labels[..., 0]] if torch.equal(labels[..., 0] + 1, labels[..., 1]) else []


def _changed(known: Sequence[Label], made: torch.Tensor) -> list[torch.Tensor]:
    """The labels of numbers that were changed one by one, or among those of one row."""
    labels = [label.labels for label in known if label.labels.shape == made.shape]
    if not labels:
        return []
    first = labels[0]
    rows = first.sort(-1).values if len(labels) > 1 else first
    alike = all(torch.equal(one, first) or torch.equal(one.sort(-1).values, rows) for one in labels[1:])
    return [first] if alike else []


def arranged(equation: str | None, n_axes: tuple[int, int]) -> tuple[Move, Move, Move] | None:
    """How the operands of a product become (..., T, D) and (..., D, S), and (..., T, S) what it gives.

    Parameters
    ----------
    equation : str or None
        Of `einsum`; None of a product of matrices.
    """
    if equation is None:
        return _same, _same, _same
    read, _, written = equation.replace(" ", "").partition("->")
    a, _, b = read.partition(",")
    if not written or "." in equation or "," in b or (len(a), len(b)) != n_axes:
        return None
    both, summed = (
        [one for one in a if one in b and one in written],
        [one for one in a if one in b and one not in written],
    )
    of_a, of_b = [one for one in a if one not in b], [one for one in b if one not in a]
    if any(len(one) != 1 for one in (summed, of_a, of_b)) or len(written) != len(both) + 2:
        return None
    made = [*both, *of_a, *of_b]
    first, second, back = _to(a, [*both, *of_a, *summed]), _to(b, [*both, *summed, *of_b]), _to(made, list(written))
    return first, second, back


def _same(x: torch.Tensor) -> torch.Tensor:
    return x


def _to(have: Sequence[str], want: Sequence[str]) -> Move:
    order = [list(have).index(one) for one in want]
    return lambda x: x.permute(order)
