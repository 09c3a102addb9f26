"""Numbers of entries: of NumPy, of PyTorch, of files that are read when NumPy asks for them."""

from typing import Any

import numpy as np


def shape_of(value: Any) -> tuple[int, ...]:
    """Shape of an entry; only what is no array is looked into."""
    return tuple(value.shape) if hasattr(value, "shape") else np.shape(value)


def numbers_of(value: Any, key: str | None = None) -> Any:
    """The entry as NumPy has it; float64 where that keeps the values of a type that NumPy does not have."""
    if hasattr(value, "toarray"):
        # Sparse: the layer says what to do.
        return value
    if not hasattr(value, "detach"):
        # Masked arrays stay masked, for the layer to refuse.
        array = np.asanyarray(value)
        if array.dtype.kind != "f" and not array.dtype.name.startswith(("bfloat16", "float8")):
            return array
        # NaN that signals is for the layer to refuse too.
        with np.errstate(invalid="ignore"):
            return array.astype(np.float64, copy=False)
    try:
        tensor = value.detach().cpu()
        return (tensor.double() if tensor.is_floating_point() else tensor).numpy()
    except (RuntimeError, TypeError) as error:
        said, remedy = _kind_of_tensor(value, error)
        raise TypeError(
            f"The entry {key!r} must be a dense tensor with values. Got {said} instead. {remedy}".strip()
        ) from None


def _kind_of_tensor(value: Any, error: Exception) -> tuple[str, str]:
    """What a tensor is whose values NumPy cannot have, and what to do with it."""
    if getattr(value, "is_quantized", False):
        return f"a quantised tensor ({type_of(value)})", "Pass its values, as tensor.dequantize() gives them."
    if getattr(value, "is_meta", False):
        return "one on the meta device, without values", "Load the weights into the model, and save or pass it then."
    layout = str(getattr(value, "layout", "torch.strided")).removeprefix("torch.")
    if layout != "strided":
        return f"a tensor of layout {layout}", "Pass its values, as tensor.to_dense() gives them."
    return str(error).split("\n")[0], ""


def type_of(value: Any) -> str:
    """Type of an entry's numbers, in one way for NumPy, PyTorch and files: ``"int8"``, ``"float8_e4m3fn"``, ..."""
    name = str(getattr(value, "dtype", "")).lower().removeprefix("torch.")
    for short, long in (("i", "int"), ("u", "uint"), ("f8_", "float8_")):
        # As safetensors calls them.
        if name.startswith(short) and name[len(short) : len(short) + 1].isalnum() and not name.startswith(long):
            bits = name[len(short) :]
            name = f"{long}{bits}" if short == "f8_" or bits.isdigit() else name
    return name


def is_of_codes(value: Any) -> bool:
    """Whether the numbers are of a type that quantised weights have: integers, or floating-point numbers of 8 bits."""
    return type_of(value).startswith(("int", "uint", "float8"))
