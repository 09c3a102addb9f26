"""ONNX models: the graph says what is done, and onnxruntime, which runs it, what comes out at every step.

A file is data. What leads outside its folder, has parts that run for as long as they please, or claims more memory
than it holds is refused before it is run.
"""

from ast import literal_eval
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cache
from math import ceil, prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import ExternalDataInfo, load_external_data_for_tensor, uses_external_data

from ei_fast.adapters.onnx_ops import Node, meaning_of
from ei_fast.adapters.operations import Does, Op, Recording, Unknown, with_rows_apart
from ei_fast.adapters.watched import check_shape, network_from_runs
from ei_fast.network.bins import Range, check_range
from ei_fast.network.network import Network
from ei_fast.runtime.kinds import other_kind

_OLDEST_OPSET = 13
_LARGEST_FILE = 2**31 - 1
# What onnxruntime may take for all values of a run.
_MAX_MEMORY = 2**32
_FLOATS = {
    TensorProto.FLOAT: "float32",
    TensorProto.DOUBLE: "float64",
    TensorProto.FLOAT16: "float16",
}
# What reads no more than a shape is the same for all inputs.
_SHAPES = ("Shape", "Size")


def network_from_onnx(
    model: Any, in_range: Range | None = None, check: bool = True, input_shape: Sequence[int] | None = None
) -> Network:
    """The layers of an ONNX model, in the order of its graph.

    Parameters
    ----------
    model : path or onnx.ModelProto
        Opset 13 or newer, with one input whose first axis are the rows.
    in_range : (float, float), optional
        Range of the model's inputs, (0, 1) where not given.
    check : bool
        Whether every layer is compared with onnxruntime on random inputs, inside `in_range` and beyond it.
    input_shape : sequence of int, optional
        Of one sample, where the model leaves it open.

    Raises
    ------
    ValueError
        Naming the file or layer, the rule and the remedy.
    MemoryError
        Where a run would need more than 4 GiB.
    """
    in_range = (0.0, 1.0) if in_range is None else check_range(in_range, "in_range", "as_network")
    if isinstance(model, onnx.ModelProto):
        what, folder = "The ONNX model", None
        copied = onnx.ModelProto()
        copied.CopyFrom(model)
        model = copied
    else:
        path = Path(model)
        what, folder = f"The file {str(path)!r}", path.parent
        model = _read(path)
    _check(model, what, folder)
    graph = _Graph(model, what)
    shape = graph.input_shape(input_shape)
    return network_from_runs(graph.run, shape, in_range, check)


def _read(path: Path) -> onnx.ModelProto:
    if path.stat().st_size > _LARGEST_FILE:
        raise MemoryError(
            f"The file {str(path)!r} must be smaller than 2 GiB. Keep its weights as external data, or as safetensors."
        )
    # What is no ONNX model may be one without a node for the parser.
    told = other_kind(path)
    if told:
        raise ValueError(f"The file {str(path)!r} cannot be read as an ONNX model. {told}")
    try:
        return onnx.load_model(path, load_external_data=False)
    except (DecodeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"The file {str(path)!r} cannot be read as an ONNX model: it is damaged or of another kind ({error}). "
            "Export it again."
        ) from None


def _check(model: onnx.ModelProto, what: str, folder: Path | None) -> None:
    """Raise ValueError where a model may not be run."""
    opset = next((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), 0)
    if opset < _OLDEST_OPSET:
        raise ValueError(
            f"{what} must be of opset {_OLDEST_OPSET} or newer. Got {opset} instead. Export it with a newer one, or "
            "convert it with onnx.version_converter."
        )
    if model.functions:
        raise ValueError(
            f"{what} must have no functions of its own. Got {model.functions[0].name!r}. "
            "Put their nodes in their places with onnx.inliner.inline_local_functions."
        )
    for node in model.graph.node:
        if any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
            raise ValueError(
                f"{what} must do the same for all inputs. Got {node.op_type} {node.name!r}, which decides or repeats. "
                "Export the part of it that does not."
            )
    if model.graph.sparse_initializer:
        raise ValueError(f"{what} must have dense weights. Got sparse ones. Export them as dense tensors.")
    for tensor in _tensors(model.graph):
        if uses_external_data(tensor):
            _load(tensor, what, folder)
        _check_size(tensor, what)
    try:
        onnx.checker.check_model(model, full_check=False)
    except Exception as error:
        # The checker's own exceptions, and those of what it is built on.
        raise ValueError(f"{what} is not a valid ONNX model: {error}. Export it again.") from None


def _tensors(graph: onnx.GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def _n_bytes(tensor: TensorProto, what: str) -> int:
    try:
        dtype = helper.tensor_dtype_to_np_dtype(tensor.data_type)
    except KeyError:
        dtype = None
    if dtype is None or dtype.kind in "OSU" or any(n < 0 for n in tensor.dims):
        raise ValueError(
            f"{what} must hold tensors of numbers. Got {tensor.name!r} of type {tensor.data_type} and shape "
            f"{tuple(tensor.dims)}. Export it again."
        )
    bits = 4 if "4" in TensorProto.DataType.Name(tensor.data_type) and dtype.itemsize == 1 else 8 * dtype.itemsize
    return ceil(prod(tensor.dims) * bits / 8)


def _check_size(tensor: TensorProto, what: str) -> None:
    """Raise ValueError where a tensor claims another size than it has."""
    n_bytes = _n_bytes(tensor, what)
    if tensor.HasField("raw_data"):
        fits = len(tensor.raw_data) == n_bytes
    else:
        try:
            fits = numpy_helper.to_array(tensor).shape == tuple(tensor.dims)
        except (TypeError, ValueError):
            fits = False
    if not fits:
        raise ValueError(
            f"{what} says that the tensor {tensor.name!r} has shape {tuple(tensor.dims)}, which is not what it holds. "
            "It is damaged. Export it again."
        )


def _load(tensor: TensorProto, what: str, folder: Path | None) -> None:
    """Read a tensor that lies in a file of its own, beside the model and nowhere else."""
    if folder is None:
        raise ValueError(f"{what} keeps {tensor.name!r} in another file. Pass the path of the model instead.")
    rule = f"{what} keeps {tensor.name!r} in another file, which must lie in the model's folder"
    try:
        info = ExternalDataInfo(tensor)
    except ValueError as error:
        raise ValueError(f"{rule}. It does not say where ({error}). Export it again.") from None
    place = (folder / info.location).resolve()
    inside = place.is_relative_to(folder.resolve()) and not Path(info.location).is_absolute()
    if not info.location or not inside or ".." in Path(info.location).parts or "\\" in info.location:
        raise ValueError(f"{rule}. Got {info.location!r} instead. Put it there and name it so.")
    if not place.is_file():
        raise ValueError(f"{rule}. Got {info.location!r}, which is not there. Put it there.")
    n_bytes, start = _n_bytes(tensor, what), info.offset or 0
    if start < 0 or (info.length or n_bytes) != n_bytes or start + n_bytes > place.stat().st_size:
        raise ValueError(f"{rule}. The file {info.location!r} does not hold what is said of it. Export it again.")
    try:
        load_external_data_for_tensor(tensor, str(folder))
    except Exception as error:
        # The library refuses more than is refused here: hard links, say.
        raise ValueError(f"{rule} and be its own. {info.location!r} is refused ({error}). Export it again.") from None
    tensor.data_location = TensorProto.DEFAULT
    del tensor.external_data[:]


class _Graph:
    """A model that can be run with all its values in sight."""

    def __init__(self, model: onnx.ModelProto, what: str):
        self._what = what
        graph = model.graph
        self._nodes = list(graph.node)
        stored = {tensor.name for tensor in graph.initializer}
        inputs = [value for value in graph.input if value.name not in stored]
        kind = inputs[0].type.tensor_type if len(inputs) == 1 else None
        if kind is None or kind.elem_type not in _FLOATS:
            told = ", ".join(repr(value.name) for value in inputs) or "none"
            raise ValueError(
                f"{what} must have one input of float64, float32 or float16 numbers. Got {told} instead. "
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
        self._layer_names = _Names(self._nodes, stored)
        # What nobody reads, as the mask of a dropout, need not be there.
        read = {name for node in self._nodes for name in node.input} | set(self._outputs)
        self._names = [name for node in self._nodes for name in node.output if name in read]
        self._moving = {self._input}
        for node in self._nodes:
            if self._moved(node):
                self._moving.update(node.output)
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
        numbers, values = {self._input: 0}, {0: found[self._input]}
        coarsest = self._dtype
        # Of values of which several rows make one of the input.
        n_rows: dict[int, int] = {}
        ops: list[Op] = []
        for node in self._nodes:
            at = tuple(k for k, name in enumerate(node.input) if name in numbers) if self._moved(node) else ()
            written = [name for name in node.output if isinstance(found.get(name), np.ndarray)]
            if not at or not written:
                continue
            does: Does | None = None
            if len(written) == 1:
                arrays = [found.get(name) for name in node.input]
                attributes = {one.name: helper.get_attribute_value(one) for one in node.attribute}
                does = meaning_of(Node(node.op_type, attributes, arrays, at, found[written[0]]))
            reads = tuple(numbers[node.input[k]] for k in at)
            if does is not None and not all(found[node.input[k]].ndim for k in at):
                does = None
            if does is not None:
                n_read = len(found[node.input[at[0]]])
                several = [len(values[number]) != n_read for number in reads]
                does = with_rows_apart(does, several, n_read, len(found[written[0]]), len(inputs))
            known = does is not None
            apart = all(len(values[number]) == len(inputs) for number in reads if known)
            # What is not known is noted with as many rows as what it read.
            alike = {n_rows.get(number) for number in reads}
            for name in written:
                numbers[name] = len(values)
                half = found[name].dtype.itemsize < 4 or found[name].dtype.kind != "f"
                values[numbers[name]] = found[name].astype(np.float64 if half else found[name].dtype)
                n = len(found[name]) if found[name].ndim and apart else 0
                if n > len(inputs) and n % len(inputs) == 0 and (known or n in alike):
                    n_rows[numbers[name]], of_rows = n, values[numbers[name]]
                    values[numbers[name]] = of_rows.reshape(len(inputs), -1, *of_rows.shape[1:])
                if found[name].dtype == np.float16:
                    coarsest = "float16"
            reason = f"{node.op_type} is no dense layer or convolution, activation or pool"
            op = Op(
                self._layer_names.of(node), does or Unknown(reason), reads, tuple(numbers[name] for name in written)
            )
            ops.append(op)
        outputs = tuple(numbers[name] for name in self._outputs if name in numbers)
        if not outputs:
            raise ValueError(f"{self._what} returns nothing that depends on its input. Export its outputs with it.")
        return Recording(ops, values, outputs, (), coarsest, has_blocks=False)

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

    def _values(self, inputs: NDArray) -> dict[str, Any]:
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


class _Names:
    """What layers were called where they were made: PyTorch names weights so, and exporters nodes."""

    def __init__(self, nodes: Sequence[onnx.NodeProto], stored: Collection[str]):
        self._stored = stored
        self._made_by = {name: node for node in nodes for name in node.output}
        self._readers: dict[str, list[onnx.NodeProto]] = {}
        for node in nodes:
            for name in node.input:
                self._readers.setdefault(name, []).append(node)

    def of(self, node: onnx.NodeProto) -> str:
        given = node.name.strip("/").removesuffix(f"/{node.op_type}").replace("/", ".") or node.op_type
        if (name := _owner(node.input[1:2], _WEIGHTS)) is not None:
            return name
        # Other names of nodes are paths of modules.
        if "/" in node.name or node.op_type not in ("MatMul", "Gemm", "Conv"):
            return given
        return self._of_weight(node) or self._of_bias(node) or _scope(node) or given

    def _of_weight(self, node: onnx.NodeProto) -> str | None:
        """As a weight is called that is transposed, or the like, on its way."""
        for name in node.input:
            while name in self._made_by and name not in self._stored:
                before = [one for one in self._made_by[name].input if one][:1]
                if not before or self._made_by[name].op_type not in ("Transpose", "Cast", "Identity", "Reshape"):
                    break
                [name] = before
            if name in self._stored and (owner := _owner([name], _WEIGHTS)) is not None:
                return owner
        return None

    def _of_bias(self, node: onnx.NodeProto) -> str | None:
        """As the bias is called that is given to it, or added to all that comes out."""
        readers = [one for name in node.output for one in self._readers.get(name, ())]
        added = readers[0].input if len(readers) == 1 and readers[0].op_type == "Add" else []
        held = [name for name in (*node.input, *added) if name in self._stored]
        return _owner(held, _BIASES)


_WEIGHTS, _BIASES = (".weight", ".kernel", "/kernel"), (".bias", "/bias")


def _owner(names: Iterable[str], endings: Sequence[str]) -> str | None:
    """The layer that holds the first of some tensors that is named after one."""
    return next((one.removesuffix(end) for one in names for end in endings if one.endswith(end) and one != end), None)


def _scope(node: onnx.NodeProto) -> str | None:
    """The innermost module in which PyTorch has met a node, as its exporter notes it."""
    told = next((one.value for one in node.metadata_props if one.key == "pkg.torch.onnx.name_scopes"), "")
    try:
        scopes = literal_eval(told) if told else []
    except (ValueError, SyntaxError):
        return None
    # The last is the node itself.
    named = [one for one in scopes[:-1] if isinstance(one, str) and one] if isinstance(scopes, list) else []
    return named[-1] if named else None


@cache
def _limit_memory() -> None:
    """Let onnxruntime take no more than it may, whatever a graph asks for; once in a process."""
    info = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    onnxruntime.create_and_register_allocator(
        info, onnxruntime.OrtArenaCfg({"max_mem": _MAX_MEMORY, "arena_extend_strategy": 1})
    )
