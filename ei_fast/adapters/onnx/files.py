"""ONNX models as data: what leads outside a file's folder, runs as long as it pleases or lies about sizes is refused.

All of that is looked at before anything is run.
"""

from collections.abc import Iterator
from math import ceil, prod
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import ExternalDataInfo, load_external_data_for_tensor, uses_external_data

from ei_fast.runtime.kinds import other_kind

_OLDEST_OPSET = 13
_LARGEST_FILE = 2**31 - 1


def model_in_file(path: Path) -> onnx.ModelProto:
    if path.stat().st_size > _LARGEST_FILE:
        raise MemoryError(
            f"The file {str(path)!r} must be smaller than 2 GiB. Keep its weights as external data, or as safetensors."
        )
    # What is no ONNX model may be one without a node for the parser.
    hint = other_kind(path)
    if hint:
        raise ValueError(f"The file {str(path)!r} cannot be read as an ONNX model. {hint}")
    try:
        return onnx.load_model(path, load_external_data=False)
    except (DecodeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"The file {str(path)!r} cannot be read as an ONNX model: it is damaged or of another kind ({error}). "
            "Export it again."
        ) from None


def check_model(model: onnx.ModelProto, what: str, folder: Path | None) -> None:
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
    n_bytes: int = ceil(prod(tensor.dims) * bits / 8)
    return n_bytes


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
