"""What stands beside a layer's weight and changes it: scales of quantised weights, adapters, reparametrisations.

What is known exactly is applied; all else is refused by its name, since the weight alone would be another layer.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ei_fast.adapters.dicts.naming import SEPARATORS, last_part
from ei_fast.adapters.dicts.values import is_of_codes, numbers_of, shape_of, type_of

# By the beginning of a part of a name; first what also matches what stands further down.
_ADAPTERS = (
    ("DoRA", r"lora_magnitude|dora_"),
    ("AdaLoRA", r"lora_E|ranknum"),
    ("LoRA", r"(\w*_)?lora(_|$)"),
    ("a module to save beside its original", r"(modules_to_save|original_module)$"),
    ("IA³", r"ia3_"),
    ("LoHa", r"hada_"),
    ("LoKr", r"lokr_"),
    ("BOFT", r"boft_"),
    ("OFT", r"oft_"),
    ("VeRA", r"vera_"),
    ("FourierFT", r"fourierft_"),
    ("VB-LoRA", r"vblora_"),
    ("HRA", r"hra_[uv]"),
    ("prompt tuning", r"prompt_(embeddings|encoder)$"),
)
_DOWN, _UP, _STRENGTH = r"lora_(A|down)$", r"lora_(B|up)$", r"(lora_)?alpha$"

# Layers that are stored as something else than a weight: the last part of a name, what that is, and what to do.
_MODULE = "Build the model, load the state dict and pass the module"
_FLOATS = "Save its weights as floating-point numbers"
_STORED_OTHERWISE = (
    (r"weight_[gv]", "reparametrised, by weight norm say", _MODULE),
    (r"weight_mask", "pruned", _MODULE),
    (r"weight_orig|weight_u", "reparametrised, by pruning or spectral norm say", _MODULE),
    (r"qweight|qzeros|g_idx", "quantised, by GPTQ or AWQ say", _FLOATS),
    (r"weight_packed|weight_shape|weight_g_idx|weight_scale_2", "quantised and packed", _FLOATS),
    (r"W_q|CB|_data|int_data|qdata", "quantised", _FLOATS),
    (r"absmax|quant_map|nested_\w+|quant_state|bitsandbytes__\w+", "quantised in 4 bits by bitsandbytes", _FLOATS),
)

_SCALES = ("weight_scale", "weight_scale_inv", "weight_scales", "scale_weight", "scale", "scales")
_ZEROS = ("weight_zero_point", "weight_zero_points", "zero_point", "zero_points", "zeros")
# Of bitsandbytes: the largest size in each row, for which 127 stands.
_LARGEST = "SCB"
# How inputs are rounded while a quantised model runs, and how a file is laid out.
_OF_NO_WEIGHT = ("input_scale", "output_scale", "scale_input", "weight_format")
# Rows and columns that share a scale, where the shapes do not tell.
_BLOCK = 128


def adapted_layer(key: str) -> str | None:
    """Name of the layer that an adapter's entry belongs to; None where the entry is none of an adapter."""
    parts = re.split("([./])", key)
    for at in range(0, len(parts), 2):
        if _adapter(parts[at]) is not None:
            return "".join(parts[: max(at - 1, 0)])
    return None


def stored_otherwise(key: str) -> tuple[str, str, str] | None:
    """Of an entry of a layer that is stored as no weight: the layer, what it is, and what to do; None for others."""
    layer, found, _ = key.partition(".parametrizations.")
    if found:
        return layer, "reparametrised, by weight norm, spectral norm or the like", _MODULE
    layer, found, _ = key.partition("._packed_params")
    if found:
        return layer, "quantised by PyTorch", _FLOATS
    parts = re.split("([./])", key)
    for pattern, what, remedy in _STORED_OTHERWISE:
        if len(parts) > 1 and re.fullmatch(pattern, parts[-1]):
            # Of a weight's own parts, as ``fc.weight.absmax``, the layer is what stands before the weight.
            return re.split(r"[./]weight[./]", key)[0] if ".weight." in key else "".join(parts[:-2]), what, remedy
    return None


def refusal_of(key: str) -> str | None:
    """Why a layer cannot be read that has this entry, and what to do; None for an entry that is not known."""
    stored = stored_otherwise(key)
    if stored is not None:
        layer, what, remedy = stored
        return (
            f"The layer {layer!r} is {what}, as its entry {key!r} says: its weights are not in the dict as they act. "
            f"{remedy}."
        )
    adapted = adapted_layer(key)
    if adapted is None:
        return None
    kind = next(filter(None, map(_adapter, re.split(SEPARATORS, key))))
    # Some tools join the layer's name and the adapter's.
    layer = adapted or key
    return (
        f"The entry {key!r} belongs to an adapter ({kind}) of the layer {layer!r}, and how strongly it acts is not in "
        "the dict. Merge it into the weights (model.merge_and_unload() of PEFT does so), and give what that model's "
        "state_dict() returns."
    )


def with_what_stands_beside(
    name: str, weight: Any, is_out_in: bool, beside: Mapping[str, Any]
) -> tuple[Any, list[str]]:
    """A layer's weight as it acts, and what was done to it, in words.

    Parameters
    ----------
    name : str
        Of the layer.
    weight : array (rows, columns)
        As it is stored.
    is_out_in : bool
        Whether it is stored as (n_out, n_in).
    beside : mapping of str to array
        All entries of the layer but its weight and bias, by their whole names.

    Raises
    ------
    ValueError
        For an entry whose effect is not known.
    """
    of = {last_part(key): value for key, value in beside.items() if adapted_layer(key) is None}
    adapter = {key: value for key, value in beside.items() if adapted_layer(key) is not None}
    known = (
        *_SCALES,
        *_ZEROS,
        _LARGEST,
        *_OF_NO_WEIGHT,
        *(part for part in of if re.match(_STRENGTH, part) and adapter),
    )
    for key in beside:
        why = refusal_of(key) if key not in adapter else None
        if why is None and key not in adapter and last_part(key) not in known:
            why = (
                f"The entry {key!r} belongs to the layer {name!r}, and what it does to the layer is not known. Pass "
                "the module, or leave the entry out of the dict if it does nothing."
            )
        if why is not None:
            raise ValueError(why)
    values, notes = _dequantised(name, weight, is_out_in, of)
    if adapter:
        strength = next((value for part, value in of.items() if re.match(_STRENGTH, part)), None)
        values, note = _merged(values, is_out_in, adapter, strength)
        notes.append(note)
    return values, notes


def _dequantised(name: str, weight: Any, is_out_in: bool, of: Mapping[str, Any]) -> tuple[Any, list[str]]:
    """Codes times their scale, less their zero point; other weights as they are."""
    scales = [part for part in (*_SCALES, _LARGEST) if part in of]
    zeros = [part for part in _ZEROS if part in of]
    if not scales and not zeros:
        return weight, []
    if not is_of_codes(weight) or len(scales) != 1 or len(zeros) > 1:
        raise ValueError(
            f"The layer {name!r} has {', '.join([*scales, *zeros])} beside a weight of type "
            f"{type_of(weight) or 'unknown'}, and what that does to it is not known. Pass the module, or leave what "
            "does nothing out of the dict."
        )
    if is_of_codes(of[scales[0]]) and type_of(of[scales[0]]) != "float8_e8m0fnu":
        raise ValueError(
            f"The entry {scales[0]!r} of the layer {name!r} is of type {type_of(of[scales[0]])}: a code itself, and "
            f"what it stands for is not known. {_FLOATS}."
        )
    values, scale = numbers_of(weight).astype(np.float64), numbers_of(of[scales[0]]).astype(np.float64)
    if type_of(weight) == "uint8" and scale.ndim == 2 and min(scale.shape) > 1:
        raise ValueError(
            f"The layer {name!r} has codes of type uint8 and scales of groups, {scales[0]!r}: two codes of 4 bits may "
            f"be packed in each. {_FLOATS}."
        )
    if scales == [_LARGEST]:
        scale = scale / 127.0
    if zeros:
        values = values - _spread(name, zeros[0], numbers_of(of[zeros[0]]).astype(np.float64), values.shape, is_out_in)
    values = values * _spread(name, scales[0], scale, values.shape, is_out_in)
    return values, [f"codes times {scales[0]}" + (f", less {zeros[0]} before" if zeros else "")]


def _spread(name: str, part: str, scale: NDArray[Any], shape: tuple[int, ...], is_out_in: bool) -> NDArray[Any]:
    """A scale for each entry of a weight of this shape: of one number, of one for each output, or of blocks."""
    if scale.size == 1:
        return np.broadcast_to(scale.reshape(1, 1), shape)
    outputs = 0 if is_out_in else 1
    if scale.ndim == 1 and scale.size == shape[outputs]:
        return scale.reshape((-1, 1) if is_out_in else (1, -1))
    sizes = [_block_size(*of_axis) for of_axis in zip(shape, scale.shape, strict=False)]
    if scale.ndim != 2 or None in sizes:
        raise ValueError(
            f"The entry {part!r} of the layer {name!r} must be one number, one for each output or one for each block "
            f"of its weight of shape {shape}. Got shape {scale.shape} instead. {_FLOATS}."
        )
    for axis, size in enumerate(sizes):
        scale = np.repeat(scale, size or 1, axis=axis)
    return scale[: shape[0], : shape[1]]


def _block_size(n: int, n_scales: int) -> int | None:
    """How many rows share a scale; None where the numbers do not tell."""
    if n_scales == 1:
        return n
    sizes = {size for size in (n // n_scales if n_scales and n % n_scales == 0 else 0, _BLOCK) if size}
    fitting = {size for size in sizes if -(-n // size) == n_scales}
    return fitting.pop() if len(fitting) == 1 else None


def _merged(values: Any, is_out_in: bool, adapter: Mapping[str, Any], strength: Any) -> tuple[NDArray[Any], str]:
    """A weight with the low-rank adapter that acts beside it, where all of that is known."""
    down, up = (
        [key for key in adapter if any(re.match(pattern, part) for part in re.split(SEPARATORS, key))]
        for pattern in (_DOWN, _UP)
    )
    if strength is None or numbers_of(strength).size != 1 or len(down) != 1 or len(up) != 1 or len(adapter) != 2:
        raise ValueError(refusal_of(next(iter(adapter))))
    first, second = (numbers_of(adapter[key]).astype(np.float64) for key in (down[0], up[0]))
    shape = shape_of(values)[:: 1 if is_out_in else -1]
    if first.ndim != 2 or (second.shape[0], first.shape[1]) != shape or second.shape[1:] != first.shape[:1]:
        raise ValueError(
            f"The entries {down[0]!r} and {up[0]!r} must be of shapes (rank, n_in) and (n_out, rank), beside a weight "
            f"of {shape[1]} inputs and {shape[0]} outputs. Got {first.shape} and {second.shape} instead. "
            "Merge the adapter before, as PEFT's model.merge_and_unload() does."
        )
    scaling = float(numbers_of(strength).item()) / len(first)
    change = scaling * second @ first
    weight = numbers_of(values).astype(np.float64)
    return weight + (change if is_out_in else change.T), f"LoRA of rank {len(first)} merged, scaled by {scaling:g}"


def of_no_weight(key: str) -> bool:
    """Whether an entry of a layer says nothing about its weight."""
    return last_part(key) in _OF_NO_WEIGHT


def _adapter(part: str) -> str | None:
    """What kind of adapter a part of a name belongs to."""
    return next((kind for kind, pattern in _ADAPTERS if re.match(pattern, part)), None)
