"""PyTorch modules: what they do is written down while they run.

A copy of the model runs, in evaluation mode, on the CPU and in float64 where the model allows it.
"""

import copy
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from math import prod
from types import MethodType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.nn.parameter import is_lazy

from ei_fast.adapters.blocks import AUTO, Blocks, check_blocks
from ei_fast.adapters.given import Given
from ei_fast.adapters.graph import Recording, Recurrences, convolution_first
from ei_fast.adapters.heads import Heads, by_head
from ei_fast.adapters.runs import check_shape, check_unrolled, network_from_runs
from ei_fast.adapters.sources import OfShape, Source, random_inputs
from ei_fast.adapters.torch.arguments import examples_of, several_wanted
from ei_fast.adapters.torch.decisions import ReadOuts, decisions
from ei_fast.adapters.torch.examples import Examples, Inputs
from ei_fast.adapters.torch.heads import HeadWatch
from ei_fast.adapters.torch.owners import called, is_ours
from ei_fast.adapters.torch.process import process_of_its_own
from ei_fast.adapters.torch.sequences import check_rows_alone
from ei_fast.adapters.torch.uses import Uses
from ei_fast.adapters.torch.watching import Watcher
from ei_fast.network.bins import Range
from ei_fast.network.network import Network

_SCRIPTED = (
    "is a ScriptModule, which does not show what it does. Put the module that it was made from in its place to measure "
    "its layers, and the one before it"
)
# Rows with which a shape is tried: more than one, and unlikely as a width. Of long samples fewer, since all that comes
# of them is kept. And rows with which examples are.
_PROBED, _PROBED_OF_LONG, _LONG, _PROBED_EXAMPLES = 61, 2, 2**11, 7


def read(model: nn.Module, given: Given) -> Network:
    """The layers of a PyTorch model, in the order in which it runs them.

    Parameters
    ----------
    model : torch.nn.Module
        Left as it is: a copy runs.
    given : Given
        Where neither input shape nor example inputs are, samples have the shape that the first dense layer takes.

    Raises
    ------
    TypeError, ValueError
        Naming the layer or parameter, the rule and the remedy. What the model itself raises comes through.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(
            f"A model of PyTorch must be a torch.nn.Module. Got {type(model).__name__} instead. Give the module that "
            "it was made of, or its state_dict."
        )
    model = _unwrapped(model)
    _check_initialised(model)
    in_range = given.range_of_inputs
    subject = _Subject(model, given.blocks, given.checked_unroll)
    source, probed, notes = subject.source(in_range, given.input_shape, given.example_inputs)
    check_unrolled(probed, given.unroll)
    if given.input_shape is None and given.example_inputs is None:
        check_rows_alone(subject.run, probed, in_range)
    decided = decisions(subject.run, source, in_range, given.verify) if probed.read_out else []
    blocks = AUTO if given.blocks == AUTO else list(subject.ranges)
    network = network_from_runs(subject.run, source, in_range, given.verify, blocks, probed)
    if given.heads:
        network = by_head(network, subject.heads(source.drawn(in_range, 2)))
    hooked = [name or "the model" for name, module in model.named_modules() if any(map(len, _hooks_of_owner(module)))]
    notes += [(name, "has hooks, which are not called: what they change is not measured") for name in hooked]
    scripted = {name for name, module in model.named_modules() if isinstance(module, torch.jit.ScriptModule)}
    notes += [(name, _SCRIPTED) for name in sorted(scripted) if name.rpartition(".")[0] not in scripted]
    return network.noted(notes, skipped=decided)


def copied(model: nn.Module) -> nn.Module:
    """A copy of the model in evaluation mode, on the CPU and in double precision, without its owner's hooks."""
    return _Subject(_unwrapped(model), ())._copies[0]


def _check_initialised(model: nn.Module) -> None:
    """Raise ValueError where a layer waits for data to tell its shape."""
    for name, module in model.named_modules():
        held = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
        if any(is_lazy(tensor) for tensor in held):
            what = f"layer {name!r}, a {type(module).__name__}," if name else f"{type(module).__name__}"
            raise ValueError(
                f"The {what} is not initialised: it has no weights before it has seen data. Call the model on a batch "
                "of data once, model(batch), and measure it then."
            )
        if any(tensor.is_meta for tensor in held):
            raise ValueError(
                f"The model's {name or type(module).__name__!r} is on the meta device: it has a shape and no numbers. "
                "Load its weights, model.load_state_dict(state, assign=True), and measure it then."
            )


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


def _n_probed(shape: Sequence[int]) -> int:
    """With how many samples a shape is tried."""
    is_long = len(shape) == 2 and prod(shape) > _LONG
    return _PROBED_OF_LONG if len(shape) > 2 or is_long else _PROBED


class _Subject:
    """The model, copies of which can be run and watched."""

    def __init__(self, model: nn.Module, blocks: Blocks, unroll: int | None = None):
        held = [*model.named_parameters(), *model.named_buffers()]
        complex_one = next((name for name, tensor in held if tensor.is_complex()), None)
        if complex_one is not None:
            raise TypeError(f"The model must compute with real numbers. Got {complex_one!r}, which is complex.")
        found = [p.dtype for p in model.parameters() if p.is_floating_point()]
        self._own_dtype = found[0] if found else torch.float32
        self._model, self._unroll = model, unroll
        self.dtype = torch.float64
        self._copies = [self._copy()]
        # Under the names that modules have where none is compiled.
        self.ranges = check_blocks(blocks, [name for name, _ in self._copies[0].named_modules() if name])

    def source(
        self, in_range: Range, shape: Sequence[int] | None, examples: Any
    ) -> tuple[Source, Recording, list[tuple[str, str]]]:
        """What the model is run on, a run on a little of it, and what is to be said of it."""
        if examples is not None:
            found, said = examples_of(examples, self._model)
            of_examples, probed = self._probed(found, in_range)
            return of_examples, probed, [("example_inputs", one) for one in said]
        wanted = several_wanted(self._model)
        if wanted is not None:
            raise TypeError(wanted)
        sample, probed = self.input_shape(in_range, shape)
        return OfShape(sample), probed, []

    def _probed(self, examples: Examples, in_range: Range) -> tuple[Examples, Recording]:
        """The examples in the arithmetic and with the rows that the model takes, and a run on them."""
        for dtype in dict.fromkeys([torch.float64, self._own_dtype]):
            self.dtype = dtype
            for keeps_rows in (True,) if examples.are_a_graph else (False, True):
                tried = replace(examples, dtype=dtype, keeps_rows=keeps_rows)
                inputs = tried.drawn(in_range, tried.rows if keeps_rows else _PROBED_EXAMPLES)
                try:
                    return tried, self.run(inputs)
                except Exception as error:
                    if is_ours(error):
                        raise
                    last = error
        last.add_note(f"Raised by the model for the example inputs, {examples.said}.")
        if examples.has_integers:
            last.add_note("Integers are taken as they are: where they are numbers in a range, convert them to float32.")
        raise last

    def input_shape(self, in_range: Range, given: Sequence[int] | None) -> tuple[tuple[int, ...], Recording]:
        """Shape of a sample that the model takes, and a run on a few of them."""
        candidates = list(dict.fromkeys(self._widths())) if given is None else [check_shape(given)]
        asks = (
            "The model has no dense layer that tells what its inputs are. Give input_shape=, the shape of one sample: "
            "(channels, height, width) for images, as input_shape=(3, 32, 32)."
        )
        convolves = any(parameter.ndim > 2 for parameter in self._model.parameters())
        if not candidates:
            raise ValueError(asks) if convolves else TypeError(asks)
        errors = []
        # Some models insist on the number type that they were made in.
        for dtype in dict.fromkeys([torch.float64, self._own_dtype]):
            self.dtype = dtype
            for shape in candidates:
                try:
                    recording = self.run(random_inputs(in_range, _n_probed(shape), shape))
                except Exception as error:
                    if not is_ours(error):
                        error.add_note(f"Raised by the model for samples of shape {tuple(shape)}.")
                        if given is None:
                            error.add_note(
                                "Where it takes another, give input_shape=, the shape of one sample: (time, features) "
                                "of a sequence."
                            )
                            error.add_note(
                                "Where it takes integers, or several inputs, give example_inputs=, what it is called "
                                "with."
                            )
                    errors.append(error)
                    continue
                if given is None and (name := convolution_first(recording)) is not None:
                    raise ValueError(
                        f"The inputs of the model go to the convolution {name!r}, which takes them at any length: how "
                        "long they are is not told by the layers behind it. Give input_shape=, the shape of one "
                        "sample, to as_network."
                    )
                return shape, recording
        # Of those in the model's own number type, the first: it is for the likeliest shape.
        likeliest = errors[-len(candidates)]
        if given is None and convolves and not is_ours(likeliest):
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

    def run(self, inputs: NDArray[np.float64] | Inputs, instead: Mapping[int, Any] | None = None) -> Recording:
        """Run the model on inputs, (rows, ...) or several, and write down what it does.

        `instead` are numbers that it gets instead of some that it reads out of its tensors, see `ReadOuts`.
        """
        if not isinstance(inputs, Inputs):
            inputs = Inputs.of_one(torch.from_numpy(inputs).to(self.dtype))
        # Every run has a copy of its own, since a model may keep something from one to the next.
        model = (self._copies.pop() if self._copies else self._copy()).to(self.dtype)
        held = [*model.parameters(), *model.buffers()]
        uses, cells, read_out = Uses(model), Recurrences(self._unroll), ReadOuts(instead or {})
        watcher = Watcher(inputs, held, self.dtype, uses, cells, ranges=self.ranges, read_out=read_out)
        return watcher.recording(_output(model, inputs, watcher))

    def heads(self, inputs: NDArray[np.float64] | Inputs) -> list[Heads]:
        """Of every attention, which outputs of which dense maps are each head's."""
        if not isinstance(inputs, Inputs):
            inputs = Inputs.of_one(torch.from_numpy(inputs).to(self.dtype))
        model = self._copy().to(self.dtype)
        watch = HeadWatch((*inputs.drawn, *inputs.given), list(self.ranges))
        _output(model, inputs, watch)
        return watch.heads(model)

    def _copy(self) -> nn.Module:
        """The model in evaluation mode, on the CPU."""
        try:
            # Tensors that were computed and kept, as pruning does, cannot be copied as they are.
            held = [t for module in self._model.modules() for t in vars(module).values() if isinstance(t, torch.Tensor)]
            memo: dict[int, Any] = {id(tensor): tensor.detach().clone() for tensor in held if not tensor.is_leaf}
            # Converted at once, so that there is no second copy of them all while a model is copied.
            memo |= {id(one): self._converted(one) for one in self._model.parameters() if type(one) is nn.Parameter}
            return _without_compiled(_without_hooks(copy.deepcopy(self._model, memo)), memo).cpu().eval()
        except Exception as error:
            error.add_note("Raised by copy.deepcopy of the model, of which ei_fast runs a copy.")
            raise

    def _converted(self, parameter: nn.Parameter) -> nn.Parameter:
        """A copy in the number type in which the model runs."""
        dtype = self.dtype if parameter.is_floating_point() else parameter.dtype
        values = parameter.detach().to(device="cpu", dtype=dtype, copy=True)
        return nn.Parameter(values, requires_grad=parameter.requires_grad)


def _output(model: nn.Module, inputs: Inputs, watcher: Watcher | HeadWatch) -> Any:
    """What a copy of the model returns, while it is watched, in a process that is then as it was."""
    whole = process_of_its_own(inputs.drawn, [*model.parameters(), *model.buffers()])
    with torch.no_grad(), whole, _no_global_hooks(), _uncompiled(), _watched(model, watcher):
        return called(model, inputs)


_HOOKS = ("_forward_pre_hooks", "_forward_hooks")
_GLOBAL_HOOKS = ("_global_forward_pre_hooks", "_global_forward_hooks")


def _without_hooks(model: nn.Module) -> nn.Module:
    """The copy without the hooks that its owner has registered, which are not ours to call.

    Those of PyTorch itself stay: weight norm and pruning compute weights in them.
    """
    for module in model.modules():
        for hooks, own in zip(_registered(module), _hooks_of_owner(module), strict=True):
            for number in own:
                del hooks[number]
    return model


def _registered(module: nn.Module) -> list[dict[int, Any]]:
    """All hooks of a module, by their numbers: those before its call, and those after it."""
    return [vars(module).get(name, {}) for name in _HOOKS]


def _hooks_of_owner(module: nn.Module) -> list[list[int]]:
    """Numbers of the hooks that PyTorch itself has not registered."""
    return [
        [
            number
            for number, hook in hooks.items()
            if not (getattr(hook, "__module__", "") or type(hook).__module__).startswith("torch.")
        ]
        for hooks in _registered(module)
    ]


def _without_compiled(model: nn.Module, copies: Mapping[int, Any]) -> nn.Module:
    """The copy with every part that `torch.compile` wraps as it was before: what is compiled cannot be watched.

    `copies` are the copies of what the model holds, by the identity of each: a method that was compiled is still one of
    the user's own module.
    """
    for module in list(model.modules()):
        for name, value in list(vars(module).items()):
            method = inspect.unwrap(value) if hasattr(value, "_torchdynamo_orig_callable") else None
            if isinstance(method, MethodType) and id(method.__self__) in copies:
                vars(module)[name] = MethodType(method.__func__, copies[id(method.__self__)])
        for name, part in module.named_children():
            while isinstance(inner := getattr(part, "_orig_mod", None), nn.Module):
                part = inner
                setattr(module, name, part)
    return model


@contextmanager
def _uncompiled() -> Iterator[None]:
    """Within this, functions that `torch.compile` has made run as they were written."""
    # Where nothing was compiled, what compiles is not loaded, which takes seconds.
    stance = getattr(torch.compiler, "set_stance", None) if "torch._dynamo" in sys.modules else None
    with nullcontext() if stance is None else stance("force_eager"):
        yield


@contextmanager
def _no_global_hooks() -> Iterator[None]:
    """Within this, hooks that are registered for all modules of the process are not called."""
    held = {name: getattr(nn.modules.module, name) for name in _GLOBAL_HOOKS}
    kept = {name: dict(hooks) for name, hooks in held.items()}
    for hooks in held.values():
        hooks.clear()
    try:
        yield
    finally:
        for name, hooks in held.items():
            hooks.clear()
            hooks.update(kept[name])


@contextmanager
def _watched(model: nn.Module, watcher: Watcher | HeadWatch) -> Iterator[None]:
    """Within this, what the model does is written down."""
    own = {id(module) for module in model.modules()}

    def refuse_foreign(module: nn.Module, args: Any) -> None:
        state = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
        if state and id(module) not in own:
            # It is the user's own and no copy.
            raise TypeError(
                f"The model uses a {type(module).__name__} that it does not hold. Make it an attribute of the model."
            )

    handles = [register_module_forward_pre_hook(refuse_foreign)]
    for name, module in model.named_modules():
        if isinstance(module, torch.jit.ScriptModule):
            continue
        enter, leave = _hooks(name, module, watcher)
        handles.append(module.register_forward_pre_hook(enter, with_kwargs=True))
        handles.append(module.register_forward_hook(leave, with_kwargs=True, always_call=True))
    try:
        with watcher:
            yield
    finally:
        for handle in handles:
            handle.remove()


def _hooks(name: str, module: nn.Module, watcher: Watcher | HeadWatch) -> tuple[Callable[..., Any], Callable[..., Any]]:
    def enter(_: nn.Module, args: Any, kwargs: Any) -> None:
        watcher.enter(name)

    def leave(_: nn.Module, args: Any, kwargs: Any, result: Any) -> None:
        watcher.leave(name, module, args, kwargs, result)

    return enter, leave
