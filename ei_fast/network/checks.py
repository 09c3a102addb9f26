"""What a layer is given: a name, the shape of a patch and arrays, each checked before it is kept."""

from collections.abc import Sequence
from math import prod
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ei_fast.validation import check_unmasked, without_gradient


def check_name(name: Any, owner: str) -> str | None:
    """Return `name`; TypeError where it cannot be the name of a layer."""
    if name is not None and (not isinstance(name, str) or not name):
        raise TypeError(f"The 'name' parameter of {owner} must be a non-empty string. Got {name!r} instead.")
    return name


def check_patch(patch: Any, n_in: int, owner: str) -> tuple[int, ...] | None:
    """Return `patch` as a tuple; TypeError or ValueError where it is not the shape of `n_in` inputs."""
    if patch is None:
        return None
    rule = f"The 'patch' parameter of {owner} must be integers >= 1, (channels, ...), whose product is {n_in}"
    if not isinstance(patch, Sequence) or any(isinstance(n, bool) or not isinstance(n, Integral) for n in patch):
        raise TypeError(f"{rule}. Got {patch!r} instead.")
    shape = tuple(int(n) for n in patch)
    if not shape or min(shape) < 1 or prod(shape) != n_in:
        raise ValueError(f"{rule}. Got {patch!r} instead.")
    return shape


def check_per_position(per_position: Any, patch: tuple[int, ...] | None, owner: str) -> bool:
    """Return `per_position`; TypeError where it is no truth value, ValueError where the layer has a patch as well."""
    if not isinstance(per_position, (bool, np.bool_)):
        raise TypeError(f"The 'per_position' parameter of {owner} must be True or False. Got {per_position!r} instead.")
    if per_position and patch is not None:
        raise ValueError(
            f"The 'per_position' parameter of {owner} must be False where it has a 'patch', which says the same of a "
            f"convolution. Got True with the patch {patch}. Leave it out."
        )
    return bool(per_position)


def real_array(values: Any, key: str, owner: str) -> NDArray[np.float64]:
    """A fresh C-ordered float64 copy of `values`."""
    if hasattr(values, "toarray"):
        raise TypeError(
            f"The {key!r} parameter of {owner} must be a dense array. Got {type(values).__name__} instead: "
            "sparse input is not supported. Convert it with .toarray()."
        )
    rule = f"The {key!r} parameter of {owner} must be an array of real numbers"
    check_unmasked(values, rule)
    try:
        array = np.asarray(without_gradient(values))
    # The last is what PyTorch raises for tensors that hold no values.
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"{rule}. Got {type(values).__name__} instead: {error}.") from None
    if array.dtype.kind == "c":
        raise ValueError(f"{rule}. Got {array.dtype} instead. Complex data not supported: pass the real part.")
    if array.dtype.kind not in "fiubO":
        raise TypeError(f"{rule}. Got {array.dtype} instead.")
    entries = array.flat if array.dtype.kind == "O" else ()
    text = next((entry for entry in entries if isinstance(entry, (str, bytes))), None)
    if text is not None:
        # NumPy would convert it to a number.
        raise TypeError(f"{rule}. Got {text!r} in an array of objects instead.")
    try:
        return np.array(array, dtype=np.float64, order="C")
    except (TypeError, ValueError, OverflowError) as error:
        raise TypeError(f"{rule}. Got {array.dtype} instead: {error}.") from None
