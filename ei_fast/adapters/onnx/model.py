"""ONNX models: the graph says what is done, and onnxruntime, which runs it, what comes out at every step."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from ei_fast.adapters.given import Given
from ei_fast.adapters.graph import Op, Operation, Recording, Recurrences, Recurs, Unknown, Values
from ei_fast.adapters.graph.passages import Passage
from ei_fast.adapters.onnx.files import check_model, model_in_file
from ei_fast.adapters.onnx.names import Names
from ei_fast.adapters.onnx.node import Node
from ei_fast.adapters.onnx.operations import meaning_of
from ei_fast.adapters.onnx.recurrent import MOVES, STATES, Sequences, titles
from ei_fast.adapters.onnx.uses import Uses
from ei_fast.adapters.runs import check_shape, check_unrolled, network_from_runs
from ei_fast.adapters.sources import OfShape, as_batch
from ei_fast.network.network import Network

# What onnxruntime may take for all values of a run.
_MAX_MEMORY = 2**32
_FLOATS = {
    TensorProto.FLOAT: "float32",
    TensorProto.DOUBLE: "float64",
    TensorProto.FLOAT16: "float16",
}
# What reads no more than a shape is the same for all inputs.
_SHAPES = ("Shape", "Size")
# What multiplies values with each other.
_PRODUCTS = ("MatMul", "Gemm", "Einsum", "Mul", "Attention")


def read(model: Any, given: Given) -> Network:
    """The layers of an ONNX model, in the order of its graph.

    Parameters
    ----------
    model : path or onnx.ModelProto
        Opset 13 or newer, with one input whose first axis are the rows.
    given : Given
        With an input shape or example inputs where the model leaves its shape open.

    Raises
    ------
    ValueError
        Naming the file or layer, the rule and the remedy.
    MemoryError
        Where a run would need more than 4 GiB.
    """
    in_range = given.range_of_inputs
    if isinstance(model, onnx.ModelProto):
        what, folder = "The ONNX model", None
        copied = onnx.ModelProto()
        copied.CopyFrom(model)
        model = copied
    else:
        path = Path(model)
        what, folder = f"The file {str(path)!r}", path.parent
        model = model_in_file(path)
    check_model(model, what, folder)
    graph = _Graph(model, what)
    examples = None if given.example_inputs is None else as_batch(given.example_inputs)
    graph.unroll = given.checked_unroll
    source = OfShape(graph.input_shape(given.input_shape if examples is None else examples.shape[1:]), examples)
    probed = graph.run(source.drawn(in_range, 2))
    check_unrolled(probed, given.unroll)
    return network_from_runs(graph.run, source, in_range, given.verify, probed=probed)


class _Graph:
    """A model that can be run with all its values in sight."""

    unroll: int | None = None

    def __init__(self, model: onnx.ModelProto, what: str):
        self._what = what
        graph = model.graph
        self._nodes = list(graph.node)
        stored = {tensor.name for tensor in graph.initializer}
        inputs = [value for value in graph.input if value.name not in stored]
        kind = inputs[0].type.tensor_type if len(inputs) == 1 else None
        if kind is None or kind.elem_type not in _FLOATS:
            names = ", ".join(repr(value.name) for value in inputs) or "none"
            raise ValueError(
                f"{what} must have one input of float64, float32 or float16 numbers. Got {names} instead. "
                "Export the part of it that has one."
            )
        self._input, self._dtype = inputs[0].name, _FLOATS[kind.elem_type]
        self._dims = [dim.dim_value if dim.dim_value > 0 else None for dim in kind.shape.dim]
        if len(self._dims) < 2:
            raise ValueError(
                f"{what} must have an input whose first axis are the rows. Got the shape {tuple(self._dims)} instead. "
                "Export it with a batch of inputs."
            )
        self._constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        self._outputs = [value.name for value in graph.output]
        self._layer_names = Names(self._nodes, stored)
        self._titles = titles(self._nodes, self._layer_names)
        # At all steps, whether that is read or not.
        steps = {_named_steps(self._nodes[place], place) for place in self._titles}
        # What nobody reads, as the mask of a dropout, need not be there.
        read = {name for node in self._nodes for name in node.input} | set(self._outputs) | steps
        self._names = [name for node in self._nodes for name in node.output if name in read]
        self._moving = {self._input}
        for node in self._nodes:
            if self._moved(node):
                self._moving.update(node.output)
        self._uses = Uses(self._nodes, graph.initializer, self._moving)
        for name in self._names:
            if name not in self._outputs:
                graph.output.append(helper.make_empty_tensor_value_info(name))
        self._session = self._opened(model)

    def input_shape(self, given: Sequence[int] | None) -> tuple[int, ...]:
        """Shape of a sample that the model takes."""
        shape = self._dims[1:]
        if given is None:
            if None in shape:
                raise ValueError(
                    f"{self._what} leaves the shape of its input open: {tuple(self._dims)}. Give input_shape=, the "
                    "shape of one sample, as input_shape=(3, 32, 32) for an image."
                )
            return tuple(n for n in shape if n is not None)
        wanted = check_shape(given)
        if len(wanted) != len(shape) or any(n not in (None, m) for n, m in zip(shape, wanted, strict=True)):
            raise ValueError(
                f"The 'input_shape' parameter of as_network must be what the model takes, {tuple(shape)}. "
                f"Got {wanted} instead."
            )
        return wanted

    def run(self, inputs: NDArray[np.float64]) -> Recording:
        """Run the model on inputs (rows, ...) and write down what its nodes do."""
        found = self._values(inputs.astype(self._dtype))
        values = Values()
        numbers = {self._input: values.add(found[self._input])}
        ops: list[Op] = []
        cells = Recurrences(self.unroll)
        for place, node in enumerate(self._nodes):
            at = tuple(k for k, name in enumerate(node.input) if name in numbers) if self._moved(node) else ()
            written = [name for name in node.output if isinstance(found.get(name), np.ndarray)]
            if not at or not written:
                continue
            reads = tuple(numbers[node.input[k]] for k in at)
            does = self._meaning(node, at, found, written)
            first = found[node.input[at[0]]]
            if does is None or not values.are_known_behind([(does, found[written[0]])], reads, len(first)):
                reason = f"{node.op_type} is no dense layer or convolution, activation or pool"
                does = Unknown(reason, multiplies=node.op_type in _PRODUCTS)
            does = cells.taken_for(len(ops), does, reads, node.op_type in MOVES)
            if place in self._titles and (passages := self._passages(place, numbers, found, len(inputs))) is not None:
                cells.ran(len(ops), passages)
                states = tuple(STATES[k] for k, name in enumerate(node.output) if name in written)
                does = Recurs(self._titles[place], states)
            # All together, so that none of them is taken for one that the node has read.
            apart = [values.stand_apart(does, reads, found[name].shape) for name in written]
            numbers |= {
                name: values.add(_numbers(found[name]), stands) for name, stands in zip(written, apart, strict=True)
            }
            writes, uses = tuple(numbers[name] for name in written), self._uses.of(node)
            ops.append(Op(self._layer_names.of(node), does, reads, writes, uses))
            cells.wrote(does, reads, writes)
        outputs = tuple(numbers[name] for name in self._outputs if name in numbers)
        if not outputs:
            raise ValueError(f"{self._what} returns nothing that depends on its input. Export its outputs with it.")
        is_half = any(found[name].dtype == np.float16 for name in numbers if name != self._input)
        arithmetic, held = "float16" if is_half else self._dtype, self._uses.held
        ops = cells.written(ops, values, outputs)
        return Recording(ops, values, outputs, (), arithmetic, has_blocks=False, held=held)

    def _meaning(
        self, node: onnx.NodeProto, at: tuple[int, ...], found: Mapping[str, Any], written: Sequence[str]
    ) -> Operation | None:
        """What a node did, where it has written one value, and none that it read is a single number."""
        if len(written) > 1 or not all(found[node.input[k]].ndim for k in at):
            return None
        attributes = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        arrays = [found.get(name) for name in node.input]
        return meaning_of(Node(node.op_type, attributes, arrays, at, found[written[0]]))

    def _passages(
        self, place: int, numbers: Mapping[str, int], found: Mapping[str, Any], rows: int
    ) -> list[Passage] | None:
        """What the cells of a node did; None where they are not known."""
        node, batch = self._nodes[place], self._dims[0] or rows
        if batch not in (1, rows) and batch < rows:
            return None
        attributes = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        inputs, outputs = ([found.get(name) if name else None for name in names] for names in (node.input, node.output))
        moving = [name in self._moving for name in node.input] + [False] * (8 - len(node.input))
        batches = rows if batch == 1 else 1
        sequences = Sequences(node.op_type, self._titles[place], attributes, inputs, outputs, moving, batches)
        return sequences.passages(tuple(numbers[name] for name in node.input[:1] if name in numbers))

    def _moved(self, node: onnx.NodeProto) -> bool:
        """Whether what a node writes depends on the model's input."""
        return node.op_type not in _SHAPES and any(name in self._moving for name in node.input)

    def _opened(self, model: onnx.ModelProto) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        # As written: what is merged could not be seen.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 4
        _limit_memory()
        options.add_session_config_entry("session.use_env_allocators", "1")
        try:
            return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise ValueError(f"{self._what} cannot be run by onnxruntime: {error}. Export it again.") from None

    def _values(self, inputs: NDArray[Any]) -> dict[str, Any]:
        """Every value of the graph, those of constants among them, by name."""
        rows = self._dims[0] or len(inputs)
        # A batch of a fixed size is filled up.
        filled = np.concatenate([inputs, np.repeat(inputs[-1:], -len(inputs) % rows, axis=0)])
        parts: dict[str, list[Any]] = {name: [] for name in self._names}
        for start in range(0, len(filled), rows):
            try:
                batch = self._session.run(self._names, {self._input: filled[start : start + rows]})
            except Exception as error:
                if "Available memory" in str(error) or "allocate" in str(error):
                    raise MemoryError(
                        f"{self._what} needs more than {_MAX_MEMORY} bytes to run. Give a smaller input_shape=, or "
                        "export a part of it."
                    ) from None
                raise ValueError(
                    f"{self._what} cannot be run by onnxruntime on inputs of shape {inputs.shape}: {error}. Give "
                    "input_shape= where it takes another, or export it again."
                ) from None
            for name, value in zip(self._names, batch, strict=True):
                parts[name].append(value)
        values: dict[str, Any] = {self._input: inputs, **self._constants}
        for name, several in parts.items():
            if not isinstance(several[0], np.ndarray) or several[0].dtype.kind not in "fiub":
                continue
            by_row = name in self._moving and rows < len(inputs) and several[0].ndim and len(several[0]) % rows == 0
            # Several rows may make one of the input.
            n = len(inputs) * (len(several[0]) // rows) if by_row else 0
            values[name] = np.concatenate(several)[:n] if by_row and n else several[0]
        return values


def _named_steps(node: onnx.NodeProto, place: int) -> str:
    """Name of what a node that takes cells through sequences gives at all steps, which need not be asked for."""
    if not node.output[0]:
        node.output[0] = f"steps of node {place}"
    return str(node.output[0])


def _numbers(values: NDArray[Any]) -> NDArray[np.floating]:
    """In float64 where they are halves or no floating-point numbers."""
    is_half = values.dtype.itemsize < 4 or values.dtype.kind != "f"
    return values.astype(np.float64 if is_half else values.dtype)


@cache
def _limit_memory() -> None:
    """Let onnxruntime take no more than it may, whatever a graph asks for; once in a process."""
    info = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    onnxruntime.create_and_register_allocator(
        info, onnxruntime.OrtArenaCfg({"max_mem": _MAX_MEMORY, "arena_extend_strategy": 1})
    )
