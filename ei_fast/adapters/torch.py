"""PyTorch modules: what they do is written down while they run.

A copy of the model, in evaluation mode, on the CPU and in float64, runs on random inputs under a
`TorchFunctionMode`, which sees every function of PyTorch that is called: module or functional, each looks the same
there. What is no dense layer, activation or the like is named in `skipped`, and never taken for one: the layers are
compared with the run itself.
"""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.overrides import TorchFunctionMode

from ei_fast.adapters.chain import Block, Op, Recording, Unknown, assemble, verify
from ei_fast.adapters.torch_ops import BOUNDED, meaning_of, plain_name
from ei_fast.network.bins import Range, check_range
from ei_fast.network.layer import Function
from ei_fast.network.network import Network

# Prime, and so no width: what has as many rows comes from the inputs.
_ROWS, _FEW_ROWS = 1021, 61
_BEYOND = 10.0
_DIGITS = {torch.float64: 1e-8, torch.float32: 1e-4, torch.float16: 2e-2, torch.bfloat16: 1e-1}


def network_from_torch(
    model: nn.Module,
    in_range: Range | None = None,
    blocks: Sequence[str] | Mapping[str, Range | None] = (),
    check: bool = True,
    input_shape: Sequence[int] | None = None,
) -> Network:
    """The layers of a PyTorch model, in the order in which it runs them.

    Parameters
    ----------
    model : torch.nn.Module
        Left as it is: a copy runs.
    in_range : (float, float), optional
        Range of the model's inputs, (0, 1) where not given.
    blocks : sequence of str, or dict of str to (float, float)
        Modules that are measured as one `Function` each, and the ranges of their outputs where these cannot be derived.
    check : bool
        Whether every layer is compared with the model on random inputs, inside `in_range` and beyond it.
    input_shape : sequence of int, optional
        Of one sample; where not given, what the first dense layer takes.

    Raises
    ------
    TypeError, ValueError
        Naming the layer or parameter, the rule and the remedy. What the model itself raises comes through.
    """
    model = _unwrapped(model)
    ranges = _checked_blocks(model, blocks)
    in_range = (0.0, 1.0) if in_range is None else check_range(in_range, "in_range", "as_network")
    subject = _Subject(model, ranges)
    shape = subject.input_shape(in_range, input_shape)
    recording = subject.run(_inputs(in_range, _ROWS, shape))
    network, pieces = assemble(recording, in_range)
    missing = [name for name in ranges if name not in subject.blocks_met]
    if missing:
        raise ValueError(
            f"The 'blocks' parameter must name modules that the model runs on its input. Got {missing[0]!r}, "
            "which it does not run, or runs inside another block."
        )
    if check:
        low, high = in_range
        middle, half = 0.5 * (low + high), 0.5 * _BEYOND * (high - low)
        beyond = subject.run(_inputs((middle - half, middle + half), _ROWS, shape))
        verify(pieces, [recording, beyond], _DIGITS[subject.dtype])
    return network


def _unwrapped(model: nn.Module) -> nn.Module:
    """The module inside `torch.compile`'s, DataParallel's and their like's."""
    if isinstance(model, torch.jit.ScriptModule):
        raise TypeError("A ScriptModule does not show what it does. Pass the module that it was made from.")
    while True:
        wrapped = isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel))
        inner = getattr(model, "module" if wrapped else "_orig_mod", None)
        if not isinstance(inner, nn.Module):
            return model
        model = inner


def _checked_blocks(model: nn.Module, blocks: Sequence[str] | Mapping[str, Range | None]) -> dict[str, Range | None]:
    rule = "The 'blocks' parameter must be a list of module names, or a dict of module names and output ranges"
    if isinstance(blocks, str) or not isinstance(blocks, (Mapping, list, tuple, set, frozenset)):
        raise TypeError(f"{rule}. Got {blocks!r} instead.")
    ranges = dict(blocks) if isinstance(blocks, Mapping) else dict.fromkeys(blocks)
    known = [name for name, _ in model.named_modules() if name]
    for name, limits in ranges.items():
        if name not in known:
            raise ValueError(f"{rule}. Got {name!r}, which the model does not have; it has {', '.join(known)}.")
        if limits is not None:
            ranges[name] = check_range(limits, f"blocks[{name!r}]", "as_network")
    return ranges


def _inputs(in_range: Range, rows: int, shape: Sequence[int]) -> NDArray[np.float64]:
    return np.random.default_rng(0).uniform(*in_range, (rows, *shape))


class _Subject:
    """A copy of the model that can be run and watched."""

    def __init__(self, model: nn.Module, ranges: dict[str, Range | None]):
        complex_one = next((name for name, tensor in model.state_dict().items() if tensor.is_complex()), None)
        if complex_one is not None:
            raise TypeError(f"The model must compute with real numbers. Got {complex_one!r}, which is complex.")
        found = [p.dtype for p in model.parameters() if p.is_floating_point()]
        self._own_dtype = found[0] if found else torch.float32
        try:
            self._model = copy.deepcopy(model).cpu().eval()
        except Exception as error:
            error.add_note("Raised by copy.deepcopy of the model, of which ei_fast runs a copy.")
            raise
        self._model.requires_grad_(False)
        self._ranges = ranges
        self.blocks_met: set[str] = set()
        self.dtype = torch.float64
        self._model.double()

    def input_shape(self, in_range: Range, given: Sequence[int] | None) -> tuple[int, ...]:
        """Shape of a sample that the model takes."""
        if given is not None:
            shape = tuple(given)
            if not shape or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in shape):
                raise ValueError(
                    f"The 'input_shape' parameter of as_network must be integers >= 1, those of one sample. "
                    f"Got {given!r} instead."
                )
            candidates = [shape]
        else:
            candidates = list(dict.fromkeys(self._widths()))
            if not candidates:
                raise TypeError(
                    "The model has no dense layer that tells what its inputs are. Give 'input_shape', the shape of "
                    "one sample, to as_network."
                )
        errors = []
        # Some models insist on the number type that they were made in.
        for dtype in dict.fromkeys([torch.float64, self._own_dtype]):
            self.dtype = dtype
            self._model.to(dtype)
            for shape in candidates:
                try:
                    self.run(_inputs(in_range, _FEW_ROWS, shape))
                    return shape
                except Exception as error:
                    error.add_note(f"Raised by the model for inputs of shape {(_FEW_ROWS, *shape)}.")
                    if given is None:
                        error.add_note("Where it takes another, give 'input_shape', the shape of one sample.")
                    errors.append(error)
        # Of those in the model's own number type, the first: it is for the likeliest shape.
        raise errors[-len(candidates)]

    def _widths(self) -> Iterator[tuple[int, ...]]:
        for module in self._model.modules():
            width = getattr(module, "in_features", None) or getattr(module, "input_size", None)
            if isinstance(width, int):
                yield (width,)
        for parameter in self._model.parameters():
            if parameter.ndim == 2:
                yield (parameter.shape[1],)
                yield (parameter.shape[0],)

    def run(self, inputs: NDArray[np.float64]) -> Recording:
        """Run the model on inputs (rows, ...) and write down what it does."""
        x = torch.from_numpy(inputs).to(self.dtype)
        notes = _Notes(self._model, x, self._ranges, self.dtype)
        with torch.no_grad(), torch.random.fork_rng(devices=[]), notes.watching():
            output = self._model(x)
        self.blocks_met |= notes.blocks_met
        return notes.recording(output)


@dataclass(eq=False)
class _Notes(TorchFunctionMode):
    """Everything that is done to values that depend on the input."""

    model: nn.Module
    x: torch.Tensor
    ranges: dict[str, Range | None]
    dtype: torch.dtype
    blocks_met: set[str] = field(default_factory=set)
    _ops: list[Op] = field(default_factory=list)
    _values: dict[int, NDArray[np.float64]] = field(default_factory=dict)
    _path: list[tuple] = field(default_factory=list)
    # Tensors are kept, so that none is taken for another that had its place in memory.
    _number: dict[int, tuple[int, torch.Tensor]] = field(default_factory=dict)
    _constants: dict[int, torch.Tensor] = field(default_factory=dict)
    _modules: list[str] = field(default_factory=list)
    _pausing: bool = False
    _block: "list[tuple[Any, torch.Tensor]] | None" = None

    def __post_init__(self) -> None:
        super().__init__()
        self._constants = {id(t): t for t in (*self.model.parameters(), *self.model.buffers())}
        self._set(self.x)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Within this, functions and modules are written down."""
        handles = []
        for name, module in self.model.named_modules():
            handles.append(module.register_forward_pre_hook(self._enter(name), with_kwargs=True))
            handles.append(module.register_forward_hook(self._leave(name, module), with_kwargs=True))
        try:
            with self:
                yield
        finally:
            for handle in handles:
                handle.remove()

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self._pausing:
            return function(*args, **kwargs)
        reads, unseen = self._read((args, kwargs))
        rows = {tensor.shape[:1] for tensor in _tensors((args, kwargs)) if id(tensor) in self._number}
        result = function(*args, **kwargs)
        if not reads and not unseen:
            self._constants.update((id(tensor), tensor) for tensor in _tensors(result))
            return result
        written = _tensors(result)
        name = plain_name(function)
        if result is None and name in ("setitem", "set"):
            written = _tensors(args)[:1]
        if not written:
            return result
        if self._block is not None:
            self._block.extend(((name, function, args, kwargs), tensor) for tensor in written)
            return result
        if unseen:
            does: Any = Unknown("it reads what came from the input in a way that cannot be seen")
        elif len(reads) > 1 or len(written) > 1 or written[0].shape[:1] not in rows:
            does = Unknown(_no_layer(name, len(reads)))
        else:
            does = meaning_of(name, args, kwargs, written[0], first=reads == (0,)) or Unknown(_no_layer(name, 1))
        self._write(self._modules[-1] if self._modules and self._modules[-1] else name, does, reads, written)
        return result

    def recording(self, output: Any) -> Recording:
        tensors = [tensor for tensor in _tensors(output) if id(tensor) in self._number]
        if not tensors:
            raise TypeError("What the model returns does not depend on its input in a way that could be followed.")
        outputs = tuple(self._number[id(tensor)][0] for tensor in tensors)
        return Recording(self._ops, self._values, outputs, tuple(self._path))

    def _enter(self, name: str) -> Callable:
        def hook(module: nn.Module, args: Any, kwargs: Any) -> None:
            self._modules.append(name)
            if name in self.ranges and self._block is None:
                self._block = []

        return hook

    def _leave(self, name: str, module: nn.Module) -> Callable:
        def hook(_: nn.Module, args: Any, kwargs: Any, result: Any) -> None:
            self._modules.pop()
            inside = name in self.ranges and not any(outer in self.ranges for outer in self._modules)
            if not inside:
                return
            steps, self._block = self._block, None
            self.blocks_met.add(name)
            # Hooks run while functions are watched; what is done here is not the model's.
            self._pausing = True
            self._write(name, *self._block_op(name, module, args, kwargs, result, steps or []))
            self._pausing = False

        return hook

    def _block_op(
        self, name: str, module: nn.Module, args: Any, kwargs: Any, result: Any, steps: list[tuple[Any, torch.Tensor]]
    ) -> tuple[Any, tuple[int, ...], list[torch.Tensor]]:
        inputs = [tensor for tensor in _tensors((args, kwargs)) if id(tensor) in self._number]
        outputs = _tensors(result)
        if len(inputs) != 1 or not _tensors(args) or inputs[0] is not _tensors(args)[0] or kwargs:
            raise ValueError(
                f"The block {name!r} must take one value that depends on the model's input, as its first argument. "
                f"Got {len(inputs)} instead. Name the module around it."
            )
        x, y = inputs[0], outputs[0]
        if y.shape[:1] != x.shape[:1]:
            raise ValueError(
                f"The block {name!r} must map rows to rows. Got {tuple(y.shape)} for {tuple(x.shape)} instead."
            )
        out_range = self.ranges[name] or _bounded_by(y, steps)
        if out_range is None:
            raise ValueError(
                f"The output range of the block {name!r} cannot be derived. Give it: blocks={{{name!r}: (low, high)}}. "
                f"For inputs drawn at random its outputs are from {float(y.min()):.3g} to {float(y.max()):.3g}."
            )
        run = _RunBlock(module, tuple(x.shape[1:]), args[1:], self.dtype)
        function = Function(run, x[0].numel(), y[0].numel(), out_range, name=name)
        return Block(function), (self._number[id(x)][0],), outputs

    def _read(self, values: Any) -> tuple[tuple[int, ...], bool]:
        """Numbers of the values among tensors, and whether there is one of which nobody saw where it came from."""
        tensors = _tensors(values)
        reads = tuple(dict.fromkeys(self._number[id(t)][0] for t in tensors if id(t) in self._number))
        unseen = any(
            t.dim() and t.shape[0] == len(self.x) and id(t) not in self._number and id(t) not in self._constants
            for t in tensors
        )
        return reads, unseen

    def _write(self, name: str, does: Any, reads: tuple[int, ...], written: list[torch.Tensor]) -> None:
        numbers = tuple(self._set(tensor) for tensor in written)
        self._ops.append(Op(name, does, reads, numbers))
        self._path.append((name, type(does).__name__, reads, numbers))

    def _set(self, tensor: torch.Tensor) -> int:
        """The tensor's number from now on: it may have had another before it was changed in place."""
        number = self._next()
        self._number[id(tensor)] = (number, tensor)
        self._values[number] = tensor.detach().to(torch.float64, copy=True).numpy()
        return number

    def _next(self) -> int:
        return len(self._values)


@dataclass
class _RunBlock:
    """A module as the function of a `Function`."""

    module: nn.Module
    shape: tuple[int, ...]
    more: tuple[Any, ...]
    dtype: torch.dtype

    def __call__(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        rows = torch.from_numpy(np.ascontiguousarray(x)).to(self.dtype).reshape(len(x), *self.shape)
        with torch.no_grad():
            y = _tensors(self.module(rows, *self.more))[0]
        return y.reshape(len(x), -1).to(torch.float64).numpy()


def _bounded_by(y: torch.Tensor, steps: list[tuple[Any, torch.Tensor]]) -> Range | None:
    """The range that the last step of a block has whatever goes in."""
    for (name, _, args, kwargs), tensor in reversed(steps):
        if tensor is y:
            if name in BOUNDED:
                return BOUNDED[name]
            does = meaning_of(name, args, kwargs, tensor, first=False)
            low, high = getattr(getattr(does, "activation", None), "codomain", (-np.inf, np.inf))
            return (low, high) if np.isfinite(low) and np.isfinite(high) else None
    return None


def _no_layer(name: str, n_reads: int) -> str:
    what = f"{name} of {n_reads} values" if n_reads > 1 else name
    return f"{what} is no dense layer; name the module that holds it in 'blocks' to measure it as one map"


def _tensors(values: Any) -> list[torch.Tensor]:
    """All tensors in nested tuples, lists and dicts, in order."""
    if isinstance(values, torch.Tensor):
        return [values]
    if isinstance(values, Mapping):
        values = list(values.values())
    if isinstance(values, (list, tuple)):
        return [tensor for value in values for tensor in _tensors(value)]
    return []
