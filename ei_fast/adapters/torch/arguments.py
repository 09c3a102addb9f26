"""Which arguments of a PyTorch model's forward pass the example inputs are that a user has given."""

from collections.abc import Mapping, Sequence
from inspect import Parameter, signature
from typing import Any

import numpy as np
import torch
from torch import nn

from ei_fast.adapters.torch.examples import Examples, mapped

_LABELS = {"label", "labels", "target", "targets", "y", "label_ids"}
_RULE = "The 'example_inputs' parameter of as_network must be what the model is called with"
_MOST_NAMED = 8


class Forward:
    """What the forward pass of a model takes.

    Attributes
    ----------
    required, positional, named : list of str
        Parameters without a default, those that may be given by position, and all that have a name.
    takes_any, takes_any_name : bool
        Whether it takes any number of arguments more, by position or by name.
    """

    def __init__(self, model: nn.Module):
        try:
            parameters = list(signature(model.forward).parameters.values())
        except (TypeError, ValueError):
            # Of a function that is compiled, nothing is known.
            parameters = [Parameter("args", Parameter.VAR_POSITIONAL), Parameter("kwargs", Parameter.VAR_KEYWORD)]
        kinds = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
        self.positional = [one.name for one in parameters if one.kind in kinds]
        by_name = [one for one in parameters if one.kind in (*kinds, Parameter.KEYWORD_ONLY)]
        self.named = [one.name for one in by_name if one.kind is not Parameter.POSITIONAL_ONLY]
        self.required = [one.name for one in by_name if one.default is Parameter.empty]
        self.takes_any = any(one.kind is Parameter.VAR_POSITIONAL for one in parameters)
        self.takes_any_name = any(one.kind is Parameter.VAR_KEYWORD for one in parameters)

    @property
    def said(self) -> str:
        """Its parameters, as a message has them."""
        known = self.positional + [name for name in self.named if name not in self.positional]
        shown = [name if name in self.required else f"{name}=..." for name in known[:_MOST_NAMED]]
        return f"forward({', '.join([*shown, *(['...'] if len(known) > _MOST_NAMED else [])])})"


def several_wanted(model: nn.Module) -> str | None:
    """What to do where the forward pass needs several arguments; None where it needs one or none."""
    forward = Forward(model)
    names = forward.required
    if len(names) < 2:
        return None
    as_dict = ", ".join(f"{name!r}: {name}" for name in names)
    return (
        f"The model takes {len(names)} inputs: its forward pass is {forward.said}. Give example_inputs=, what it is "
        f"called with, a batch of each, as example_inputs=({', '.join(names)}) or "
        f"example_inputs={{{as_dict}}}."
    )


def examples_of(value: Any, model: nn.Module) -> tuple[Examples, list[str]]:
    """Example inputs as arguments of the model's forward pass, and what is to be said of them.

    Raises
    ------
    TypeError, ValueError
        Where they are none, or may be several.
    """
    forward = Forward(model)
    args, kwargs, said = _arguments(value, forward)
    examples = Examples(*_on_cpu(args, kwargs), tuple(forward.positional))
    leaves = examples.leaves
    if not leaves:
        raise TypeError(f"{_RULE}, with tensors or arrays in it. Got {type(value).__name__} without any instead.")
    for name, tensor in leaves:
        if tensor.is_complex():
            raise TypeError(f"{_RULE}, real numbers. Got complex ones{f' for {name!r}' if name else ''} instead.")
        if tensor.dim() and not tensor.numel() and tensor.layout == torch.strided:
            raise ValueError(f"{_RULE}, at least one row. Got the shape {tuple(tensor.shape)} instead.")
    given = [*forward.positional[: len(args)], *kwargs]
    missing = [name for name in forward.required if name not in given]
    if missing:
        raise TypeError(
            f"{_RULE}. Its forward pass is {forward.said}. Got nothing for {', '.join(map(repr, missing))}. Give a "
            "tuple of them in this order, or a dict with these names."
        )
    return examples, said


def _arguments(value: Any, forward: Forward) -> tuple[tuple[Any, ...], dict[str, Any], list[str]]:
    if isinstance(value, (str, bytes, int, float)):
        raise TypeError(f"{_RULE}, a tensor, tuple, dict or batch. Got {value!r} instead.")
    if _is_graph(value):
        return _of_graph(value, forward)
    if isinstance(value, Mapping):
        return _of_mapping(value, forward)
    if isinstance(value, (tuple, list)) and not hasattr(value, "_fields") and not _is_numbers(value):
        return _of_sequence(value, forward)
    return (_as_tensor(value),), {}, []


def _of_mapping(value: Mapping[Any, Any], forward: Forward) -> tuple[tuple[Any, ...], dict[str, Any], list[str]]:
    known = [key for key in value if key in forward.named]
    if not known and len(forward.positional) == 1 and not forward.takes_any_name:
        # It is called with a dict.
        return (value,), {}, []
    kwargs = {str(key): _as_tensor(one) if _is_numbers(one) else one for key, one in value.items()}
    if forward.takes_any_name:
        return (), kwargs, []
    unknown = [key for key in kwargs if key not in forward.named]
    wrong = [key for key in unknown if key.lower() not in _LABELS]
    if wrong:
        raise TypeError(
            f"{_RULE}. Its forward pass is {forward.said}. Got {', '.join(map(repr, wrong))}, which it does not take. "
            "Leave them out."
        )
    left_out = [f"{key!r} is left out, which the model does not take" for key in unknown]
    return (), {key: one for key, one in kwargs.items() if key in forward.named}, left_out


def _of_sequence(value: Sequence[Any], forward: Forward) -> tuple[tuple[Any, ...], dict[str, Any], list[str]]:
    first = value[0] if value else None
    if len(value) == 2 and isinstance(first, Mapping) and any(key in forward.named for key in first):
        args, kwargs, said = _of_mapping(first, forward)
        return args, kwargs, [*said, "the second of two values is left out, as labels are: the first is the arguments"]
    args = tuple(_as_tensor(one) if _is_numbers(one) else one for one in value)
    n_most, n_least = len(forward.positional), len([n for n in forward.positional if n in forward.required])
    if forward.takes_any or len(args) <= n_least:
        return args, {}, []
    if len(args) > n_most:
        taken = ", ".join(map(repr, forward.positional))
        n = len(args) - n_most
        what = "the last value is" if n == 1 else f"the last {n} values are"
        return args[:n_most], {}, [f"{what} left out, as labels are: the model takes {taken}"]
    if isinstance(value, list) and n_least:
        names = ", ".join(map(repr, forward.positional[n_least : len(args)]))
        some = ", ".join(forward.positional[:n_least]) + ("," if n_least == 1 else "")
        every = ", ".join(forward.positional[: len(args)])
        raise ValueError(
            f"{_RULE}. Got a list of {len(args)} values, as data loaders make them, of which the last may be labels or "
            f"what the model takes as {names}: its forward pass is {forward.said}. Give a tuple of what it is called "
            f"with: example_inputs=({some}) without labels, or example_inputs=({every})."
        )
    return args, {}, []


def _is_graph(value: Any) -> bool:
    """Whether it is a graph, or a batch of graphs, of torch_geometric."""
    return hasattr(value, "stores") and hasattr(value, "to_dict") and not isinstance(value, type)


def _of_graph(value: Any, forward: Forward) -> tuple[tuple[Any, ...], dict[str, Any], list[str]]:
    held = value.to_dict()
    named = {key: held[key] for key in forward.named if held.get(key) is not None}
    if not named and len(forward.required) <= 1:
        return (value,), {}, []
    return (), named, []


def _is_numbers(value: Any) -> bool:
    """Whether it is a list of numbers, or of such lists."""
    if not isinstance(value, (list, tuple)) or not value:
        return False
    first = value[0]
    return _is_numbers(first) if isinstance(first, (list, tuple)) else isinstance(first, (int, float))


def _as_tensor(value: Any) -> Any:
    """Arrays and lists of numbers as tensors; anything else as it is."""
    if isinstance(value, torch.Tensor):
        return value
    if not hasattr(value, "__array__") and not _is_numbers(value):
        return value
    try:
        array = np.array(value)
    except ValueError as error:
        raise ValueError(f"{_RULE}, with rows of one length. Got several lengths instead. Fill rows up.") from error
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{_RULE}, numbers. Got an array of type {array.dtype} instead. Convert it to numbers.")
    return torch.from_numpy(
        array.astype(np.float32) if isinstance(value, (list, tuple)) and array.dtype.kind == "f" else array
    )


def _on_cpu(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    # With the tensors themselves, so that no other has their place in memory.
    made: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def leaf(tensor: torch.Tensor, name: str) -> torch.Tensor:
        # What is given twice is one value.
        return made.setdefault(id(tensor), (tensor, tensor.detach().cpu()))[1]

    return tuple(mapped(one, leaf, "") for one in args), {key: mapped(one, leaf, key) for key, one in kwargs.items()}
