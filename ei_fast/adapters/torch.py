"""PyTorch modules: what they do is written down while they run.

A copy of the model, in evaluation mode, on the CPU and in float64, runs on random inputs under a
`TorchFunctionMode`, which sees the functions of PyTorch that are called from Python: module or functional, each looks
the same there. What is no dense layer, activation or the like is named in `skipped`, and so is what reads values that
came about unseen. The layers are compared with the run itself.
"""

import copy
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.overrides import TorchFunctionMode

from ei_fast.adapters.chain import assemble
from ei_fast.adapters.operations import Block, Op, Recording, Unknown
from ei_fast.adapters.torch_ops import BOUNDED, meaning_of, plain_name
from ei_fast.adapters.verification import verify
from ei_fast.network.bins import Range, check_range
from ei_fast.network.layer import Function
from ei_fast.network.network import Network

# Unlikely as widths: what has as many rows, and is not known, comes from the inputs in a way that was not seen.
# Every place of an image is another sample for a convolution, and every value that it writes is kept.
_ROWS, _FEW_ROWS, _FEWEST_ROWS = 1021, 61, 13
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
    rows = _ROWS if len(shape) < 3 else _FEW_ROWS if prod(shape) < 2**14 else _FEWEST_ROWS
    recording = subject.run(_inputs(in_range, rows, shape))
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
        beyond = subject.run(_inputs((middle - half, middle + half), rows, shape))
        verify(pieces, [recording, beyond], _DIGITS[subject.coarsest], float(torch.finfo(subject.coarsest).eps))
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
        held = [*model.named_parameters(), *model.named_buffers()]
        complex_one = next((name for name, tensor in held if tensor.is_complex()), None)
        if complex_one is not None:
            raise TypeError(f"The model must compute with real numbers. Got {complex_one!r}, which is complex.")
        found = [p.dtype for p in model.parameters() if p.is_floating_point()]
        self._own_dtype = found[0] if found else torch.float32
        try:
            self._model = copy.deepcopy(model).cpu().eval()
        except Exception as error:
            error.add_note("Raised by copy.deepcopy of the model, of which ei_fast runs a copy.")
            raise
        self._ranges = ranges
        self.blocks_met: set[str] = set()
        self.dtype = self.coarsest = torch.float64
        self._model.double()

    def input_shape(self, in_range: Range, given: Sequence[int] | None) -> tuple[int, ...]:
        """Shape of a sample that the model takes."""
        if given is not None:
            shape = tuple(given) if isinstance(given, Sequence) else ()
            if not shape or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in shape):
                raise ValueError(
                    f"The 'input_shape' parameter of as_network must be integers >= 1, those of one sample. "
                    f"Got {given!r} instead."
                )
            candidates = [shape]
        else:
            candidates = list(dict.fromkeys(self._widths()))
        asks = (
            "The model has no dense layer that tells what its inputs are. Give 'input_shape', the shape of one sample, "
            "to as_network: (channels, height, width) for images."
        )
        convolves = any(parameter.ndim > 2 for parameter in self._model.parameters())
        if not candidates:
            raise ValueError(asks) if convolves else TypeError(asks)
        errors = []
        # Some models insist on the number type that they were made in.
        for dtype in dict.fromkeys([torch.float64, self._own_dtype]):
            self.dtype = dtype
            self._model.to(dtype)
            for shape in candidates:
                try:
                    self.run(_inputs(in_range, _FEW_ROWS if len(shape) < 3 else 2, shape))
                    return shape
                except Exception as error:
                    error.add_note(f"Raised by the model for samples of shape {tuple(shape)}.")
                    if given is None:
                        error.add_note("Where it takes another, give 'input_shape', the shape of one sample.")
                    errors.append(error)
        # Of those in the model's own number type, the first: it is for the likeliest shape.
        likeliest = errors[-len(candidates)]
        if given is None and convolves:
            raise ValueError(asks) from likeliest
        raise likeliest

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
        # Of its own, since a model may keep something from one run to the next.
        model = copy.deepcopy(self._model)
        notes = _Notes(model, x, self._ranges, self.dtype)
        # What the model draws from is the caller's.
        generators = random.getstate(), np.random.get_state()  # noqa: NPY002
        try:
            with torch.no_grad(), torch.random.fork_rng(devices=[]), notes.watching():
                output = model(x)
        finally:
            random.setstate(generators[0])
            np.random.set_state(generators[1])  # noqa: NPY002
        self.blocks_met |= notes.blocks_met
        self.coarsest = notes.coarsest
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
    _constants: dict[int, tuple[int, torch.Tensor]] = field(default_factory=dict)
    _modules: list[str] = field(default_factory=list)
    _pausing: bool = False
    _block: "list[tuple[Any, torch.Tensor]] | None" = None

    def __post_init__(self) -> None:
        super().__init__()
        self.coarsest = self.dtype
        self._own = {id(module) for module in self.model.modules()}
        self._note_constants([*self.model.parameters(), *self.model.buffers()])
        self._set(self.x)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Within this, functions and modules are written down."""
        handles = [register_module_forward_pre_hook(self._refuse_foreign)]
        for name, module in self.model.named_modules():
            if isinstance(module, torch.jit.ScriptModule):
                continue
            handles.append(module.register_forward_pre_hook(self._enter(name), with_kwargs=True))
            leave = self._leave(name, module)
            handles.append(module.register_forward_hook(leave, with_kwargs=True, always_call=True))
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
        if self._block is not None:
            result = function(*args, **kwargs)
            self._block.extend(((function, args, kwargs), tensor) for tensor in _tensors(result))
            return result
        reads = self._read((args, kwargs))
        shapes = [tensor.shape for tensor in _tensors((args, kwargs)) if id(tensor) in self._number]
        result = function(*args, **kwargs)
        if not reads:
            self._note_constants(_tensors(result))
            return result
        written = _tensors(result)
        name = plain_name(function)
        if result is None and name in ("setitem", "set"):
            written = _tensors(args)[:1]
        if not written:
            return result
        if len(reads) > 1 or len(written) > 1 or len(shapes) != 1 or written[0].shape[:1] != shapes[0][:1]:
            does: Any = Unknown(_no_layer(name, len(reads)))
        else:
            at = next((k for k, value in enumerate(args) if id(value) in self._number), 0 if "input" in kwargs else -1)
            does = meaning_of(function, args, kwargs, at, written[0]) or Unknown(_no_layer(name, 1))
        self._write(self._modules[-1] if self._modules and self._modules[-1] else name, does, reads, written)
        return result

    def recording(self, output: Any) -> Recording:
        reads = self._read(output)
        if not reads:
            raise TypeError("What the model returns does not depend on its input in a way that could be followed.")
        return Recording(self._ops, self._values, reads, tuple(self._path))

    def _refuse_foreign(self, module: nn.Module, args: Any) -> None:
        """Raise where the model uses a module that it does not hold: that is the user's own and no copy."""
        state = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
        if state and id(module) not in self._own:
            raise TypeError(
                f"The model uses a {type(module).__name__} that it does not hold. Make it an attribute of the model."
            )

    def _note_constants(self, tensors: Sequence[torch.Tensor]) -> None:
        self._constants.update((id(tensor), (tensor._version, tensor)) for tensor in tensors)

    def _enter(self, name: str) -> Callable:
        def hook(module: nn.Module, args: Any, kwargs: Any) -> None:
            self._modules.append(name)
            if name in self.ranges and self._block is None:
                self._block = []

        return hook

    def _leave(self, name: str, module: nn.Module) -> Callable:
        def hook(_: nn.Module, args: Any, kwargs: Any, result: Any) -> None:
            self._modules.pop()
            if name not in self.ranges or any(outer in self.ranges for outer in self._modules):
                return
            steps, self._block = self._block, None
            if result is None:
                # Where it raised, what it raised comes through.
                return
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
        if len(inputs) != 1 or kwargs or not args or inputs[0] is not args[0]:
            raise ValueError(
                f"The block {name!r} must be called with one value that depends on the model's input, as its first "
                f"argument and without keywords. Got {len(inputs)} such values, {len(args)} arguments and "
                f"{len(kwargs)} keywords instead. Name the module around it."
            )
        if not outputs or outputs[0].shape[:1] != inputs[0].shape[:1]:
            got = tuple(outputs[0].shape) if outputs else type(result).__name__
            raise ValueError(
                f"The block {name!r} must map rows to rows. Got {got} for {tuple(inputs[0].shape)} instead. "
                "Name the module around it."
            )
        x, y = inputs[0], outputs[0]
        low, high = float(y.min()), float(y.max())
        seen = f"For inputs drawn at random its outputs are from {low:.3g} to {high:.3g}."
        given = self.ranges[name]
        if given is not None and (high < given[0] or low > given[1]):
            raise ValueError(
                f"The output range of the block {name!r} must hold its outputs. Got {given} instead. {seen}"
            )
        derived = _bounded_by(y, steps)
        if derived is not None and not derived[0] <= low <= high <= derived[1]:
            derived = None
        out_range = given or derived
        if out_range is None:
            raise ValueError(
                f"The output range of the block {name!r} cannot be derived. Give it: blocks={{{name!r}: (low, high)}}. "
                f"{seen}"
            )
        run = _RunBlock(module, tuple(x.shape[1:]), args[1:], self.dtype)
        function = Function(run, x[0].numel(), y[0].numel(), out_range, name=name)
        return Block(function), (self._number[id(x)][0],), outputs

    def _read(self, values: Any) -> tuple[int, ...]:
        """Numbers of the values among tensors.

        What is not what it was, though nobody saw it change (a view of it was written to, say), gets a number of its
        own, and so does what has come from the input in a way that nobody saw.
        """
        reads: list[int] = []
        for tensor in _tensors(values):
            number = self._number.get(id(tensor), (None,))[0]
            if number is not None and not self._is_as_noted(tensor, number):
                self._write("in place", Unknown("a change in place that was not seen"), (number,), [tensor])
            elif number is None and self._is_unseen(tensor):
                self._write("unseen", Unknown("it came from the input in a way that cannot be seen"), (), [tensor])
            if id(tensor) in self._number:
                reads.append(self._number[id(tensor)][0])
        return tuple(dict.fromkeys(reads))

    def _is_unseen(self, tensor: torch.Tensor) -> bool:
        known = self._constants.get(id(tensor))
        return bool(tensor.dim()) and len(tensor) == len(self.x) and (known is None or known[0] != tensor._version)

    def _is_as_noted(self, tensor: torch.Tensor, number: int) -> bool:
        now, noted = _numbers(tensor), self._values[number]
        return now.shape == noted.shape and np.array_equal(now, noted, equal_nan=True)

    def _write(self, name: str, does: Any, reads: tuple[int, ...], written: list[torch.Tensor]) -> None:
        numbers = tuple(self._set(tensor) for tensor in written)
        self._ops.append(Op(name, does, reads, numbers))
        self._path.append((name, type(does).__name__, reads, numbers))

    def _set(self, tensor: torch.Tensor) -> int:
        """Write down a tensor's values; their number is its own until it is changed in place."""
        number = len(self._values)
        self._number[id(tensor)] = (number, tensor)
        self._values[number] = _numbers(tensor)
        if tensor.is_floating_point() and torch.finfo(tensor.dtype).eps > torch.finfo(self.coarsest).eps:
            self.coarsest = tensor.dtype
        return number


def _numbers(tensor: torch.Tensor) -> NDArray[np.float64]:
    """A copy as NumPy has it; of complex numbers the real part, since no layer reads them."""
    dense = tensor.detach().to_dense() if tensor.layout != torch.strided else tensor.detach()
    return (dense.real if dense.is_complex() else dense).to(torch.float64, copy=True).numpy()


@dataclass
class _RunBlock:
    """A module as the function of a `Function`."""

    module: nn.Module
    shape: tuple[int, ...]
    more: tuple[Any, ...]
    dtype: torch.dtype

    def __call__(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        # Copies: the module may write to what goes in, and use again what came out.
        rows = torch.from_numpy(np.array(x)).to(self.dtype).reshape(len(x), *self.shape)
        with torch.no_grad():
            y = _tensors(self.module(rows, *self.more))[0]
        return _numbers(y.reshape(len(x), -1))


def _bounded_by(y: torch.Tensor, steps: list[tuple[Any, torch.Tensor]]) -> Range | None:
    """The range that the last step of a block has whatever goes in."""
    for (function, args, kwargs), tensor in reversed(steps):
        if tensor is y:
            if plain_name(function) in BOUNDED:
                return BOUNDED[plain_name(function)]
            does = meaning_of(function, args, kwargs, 0, tensor)
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
