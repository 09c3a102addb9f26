"""Layers from files of weights. A file's content is data here, never code, and cannot claim more than it holds."""

import json
import os
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import numpy as np
from numpy.typing import NDArray

from ei_fast.adapters.arrays import check_order, layers_from_mapping
from ei_fast.network.layer import Function, Layer
from ei_fast.runtime.files import read_npz

Entries = dict[str, Any]
Skipped = list[tuple[str, str]]

# Objects that a description makes take up to a hundred times its own size.
MAX_JSON = 2**22
_MAX_PICKLED = 2**20
_OLDEST_TORCH = (2, 10)
_WRAPPERS = ("state_dict", "model_state_dict", "model")
_PREFIXES = ("module.", "_orig_mod.", "model.", "net.")
_FORMATS = (
    "A file must be .npz, .safetensors, .safetensors.index.json (beside its shards), .pt, .pth or .ckpt with a PyTorch "
    "state dict, .h5 of a Keras model, .keras or .onnx"
)


def layers_from_file(
    path: str | os.PathLike, activation: Any, order: Sequence[str] | None = None
) -> tuple[list[Layer | Function], Skipped]:
    """Layers of a file of weights; its suffix says how it is read.

    Parameters
    ----------
    path : path
        ``.npz``; ``.safetensors``, or ``.safetensors.index.json`` with its shards beside it; ``.pt``, ``.pth`` or
        ``.ckpt`` with a state dict, bare or as ``"state_dict"``, ``"model_state_dict"`` or ``"model"``; ``.weights.h5``
        or ``.h5`` of a Keras model, of which the weights and names are read and nothing else.
    activation : str, Activation, or one a layer
    order : sequence of str, optional
        Names of the dense layers in order; see `layers_from_mapping`.

    Returns
    -------
    layers : list of Layer
    skipped : list of (str, str)
        Name and reason of what is left out.

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    ImportError
        Where the library that reads the format is missing or too old.
    ValueError
        Where the file is of another kind, is damaged, holds Python objects or no layers.
    """
    check_order(order)
    path = Path(path)
    read = _reader(path)
    entries, beside = read(path)
    try:
        # A safetensors file holds its tensors by size and name, one of Keras 3's weights its layers by kind.
        ordered = "safetensors" not in path.name and not path.name.endswith(".weights.h5")
        layers, skipped = layers_from_mapping(entries, activation, order, ordered)
    except (TypeError, ValueError) as error:
        raise ValueError(f"The file {str(path)!r}: {error}") from None
    return layers, [*beside, *skipped]


def _reader(path: Path) -> Callable[[Path], tuple[Entries, Skipped]]:
    for suffix, read in _READERS.items():
        if path.name.endswith(suffix):
            return read
    if path.suffix in {".pkl", ".pickle", ".joblib"}:
        why = (
            "Pickles run code when they are read: if you trust it, load it yourself and pass the model or its weights."
        )
    else:
        why = "Save the weights in one of these formats."
    raise ValueError(f"{_FORMATS}. Got {str(path)!r} instead. {why}")


def _from_npz(path: Path) -> tuple[Entries, Skipped]:
    return read_npz(path), []


def _from_hdf5(path: Path) -> tuple[Entries, Skipped]:
    from ei_fast.adapters.hdf5_files import entries_from_hdf5

    return entries_from_hdf5(path), []


# safetensors


@dataclass(frozen=True)
class _Stored:
    """An array inside a safetensors file, read when NumPy asks for it."""

    path: Path
    dtype: str
    shape: tuple[int, ...]
    offset: int

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray:
        if self.dtype not in _DTYPES:
            raise ValueError(
                f"The values of type {self.dtype} in {str(self.path)!r} cannot be read. "
                f"Save them as one of {', '.join(_DTYPES)}."
            )
        raw, decode = _DTYPES[self.dtype]
        values = np.fromfile(self.path, raw, prod(self.shape), offset=self.offset)
        return np.asarray(decode(values).reshape(self.shape), dtype=dtype)


def _from_safetensors(path: Path) -> tuple[Entries, Skipped]:
    return dict(_stored(path)), []


def _from_shards(path: Path) -> tuple[Entries, Skipped]:
    """Tensors of several files: the index says which holds which."""
    if path.stat().st_size > MAX_JSON:
        raise ValueError(f"The file {str(path)!r} must be smaller than {MAX_JSON} bytes to be read as an index.")
    try:
        places = json.loads(path.read_bytes())["weight_map"]
        names = sorted(set(places.values()))
        if not all(isinstance(name, str) for name in names):
            raise TypeError("names of shards must be strings")
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise ValueError(
            f"The file {str(path)!r} must be an index of safetensors files: JSON with 'weight_map', the name of a file "
            f"for each tensor. It is damaged or of another kind ({type(error).__name__}: {error})."
        ) from None
    entries: Entries = {}
    skipped: Skipped = []
    for name in names:
        for key, tensor in _stored(_shard(path, name)).items():
            if places.get(key) == name:
                entries[key] = tensor
            else:
                skipped.append((key, f"in {name} but not in the index"))
    missing = [key for key in places if key not in entries]
    if missing:
        raise ValueError(
            f"The file {str(path)!r} says that {missing[0]!r} is in {places[missing[0]]!r}, which does not hold it. "
            "Save the model again, index and shards."
        )
    return entries, skipped


def _shard(index: Path, name: str) -> Path:
    """The shard beside its index; never a file elsewhere, whatever the index says."""
    if name != Path(name).name or "\\" in name or not name.endswith(".safetensors"):
        raise ValueError(
            f"The file {str(index)!r} must name .safetensors files in its own folder. Got {name!r} instead. "
            "Put the shards beside it and name them so."
        )
    shard = index.with_name(name)
    if not shard.is_file():
        raise ValueError(f"The file {str(index)!r} names {name!r}, which is not beside it. Put it there.")
    return shard


def _stored(path: Path) -> dict[str, _Stored]:
    """What a safetensors file holds, by its header, which the library has checked against the file."""
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise ImportError(
            f'The file {str(path)!r} cannot be read without safetensors: pip install "ei_fast[safetensors]".'
        ) from error
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        # Above its own limit the library would still hold a header of 100 MB several times.
        if length > MAX_JSON:
            raise ValueError(
                f"The file {str(path)!r} cannot be read as safetensors: its header claims {length} bytes. "
                "It is damaged or of another kind. Save it again."
            )
        try:
            with safe_open(path, framework="numpy"):
                header = json.loads(file.read(length))
        except (SafetensorError, ValueError) as error:
            raise ValueError(
                f"The file {str(path)!r} cannot be read as safetensors: it is damaged or of another kind ({error}). "
                "Save it again."
            ) from None
    header.pop("__metadata__", None)
    return {
        key: _Stored(path, entry["dtype"], tuple(entry["shape"]), 8 + length + entry["data_offsets"][0])
        for key, entry in header.items()
    }


def _same(values: NDArray) -> NDArray:
    return values


def _bfloat16(bits: NDArray) -> NDArray:
    # The upper half of a float32.
    return (bits.astype(np.uint32) << 16).view(np.float32)


def _float8_e5m2(bits: NDArray) -> NDArray:
    # The upper half of a float16.
    return (bits.astype(np.uint16) << 8).view(np.float16)


def _float8_e4m3(bits: NDArray) -> NDArray:
    sign, exponent, fraction = bits >> 7, (bits >> 3) & 15, bits & 7
    size = np.ldexp(np.where(exponent > 0, 8.0, 0.0) + fraction, np.maximum(exponent, 1).astype(int) - 10)
    # There is no infinity, and one NaN of each sign.
    return np.where(bits & 127 == 127, np.nan, np.where(sign, -size, size))


# Type of the stored bits, and what makes numbers of them that NumPy has: exactly.
_DTYPES: dict[str, tuple[str, Callable[[NDArray], NDArray]]] = {
    **{f"F{8 * size}": (f"<f{size}", _same) for size in (8, 4, 2)},
    "BF16": ("<u2", _bfloat16),
    "F8_E5M2": ("u1", _float8_e5m2),
    "F8_E4M3": ("u1", _float8_e4m3),
    **{f"{sign.upper()}{8 * size}": (f"<{sign}{size}", _same) for sign in "iu" for size in (8, 4, 2, 1)},
    "BOOL": ("?", _same),
}


# PyTorch


def _from_torch(path: Path) -> tuple[Entries, Skipped]:
    """Tensors of a file that `torch.save` wrote, without running what it may hold beside them."""
    torch = _torch(path)
    _check_archive(path)
    try:
        # Mapped, since a checkpoint holds the optimiser's tensors too.
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"The file {str(path)!r} holds something else than tensors (a whole module, say), which could run code and "
            "is not read, or it is damaged. Save model.state_dict() instead, or build the model and pass it."
        ) from error
    except Exception as error:
        # A damaged archive or description may fail in any way.
        raise ValueError(
            f"The file {str(path)!r} cannot be read: it is damaged ({type(error).__name__}). Save it again."
        ) from error
    state, skipped = _state_dict(path, content, torch.Tensor)
    _check_tensors(path, state)
    return _without_prefix(state), skipped


def _torch(path: Path) -> Any:
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            f'The file {str(path)!r} cannot be read without PyTorch: pip install "ei_fast[torch]".'
        ) from error
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < _OLDEST_TORCH:
        raise ImportError(
            f"The file {str(path)!r} cannot be read safely with PyTorch {torch.__version__}: before 2.10 a file of "
            'weights could run code although only weights were asked for. pip install "ei_fast[torch]".'
        )
    return torch


def stored_members(path: Path, file: IO[bytes], wrote: str) -> list[ZipInfo]:
    """What an archive holds; ValueError where it is compressed or claims more than its size, which no writer does.

    Parameters
    ----------
    wrote : str
        Who writes such archives.
    """
    try:
        members = ZipFile(file).infolist()
    except (BadZipFile, EOFError, NotImplementedError, OSError, ValueError) as error:
        raise ValueError(
            f"The file {str(path)!r} must be an archive that {wrote} wrote. "
            f"It is damaged or of another kind ({error}). Save it again."
        ) from None
    compressed = any(member.compress_type != ZIP_STORED for member in members)
    if compressed or sum(member.file_size for member in members) > path.stat().st_size:
        raise ValueError(
            f"The file {str(path)!r} claims to hold more than its size, which {wrote} never does. "
            "It is damaged or made to exhaust memory. Save it again."
        )
    return members


def _check_archive(path: Path) -> None:
    """Raise ValueError where a file is not an archive of tensors as `torch.save` writes it."""
    if _is_script(path):
        raise ValueError(
            f"The file {str(path)!r} is a TorchScript program, which could run code. "
            "Save model.state_dict() instead, or build the model and pass it."
        )
    with path.open("rb") as file:
        members = stored_members(path, file, "torch.save of PyTorch 1.6 or newer")
    names = [member.filename.split("/")[-1] for member in members]
    if any(
        name.endswith(".pkl") and member.file_size > _MAX_PICKLED for name, member in zip(names, members, strict=True)
    ):
        raise ValueError(
            f"The file {str(path)!r} holds more than tensors: their description must be smaller than {_MAX_PICKLED} "
            "bytes. Save model.state_dict() instead."
        )


def _is_script(path: Path) -> bool:
    """Whether a file is a program of TorchScript, whose code is compressed as no tensors are."""
    try:
        with ZipFile(path) as archive:
            return any(name.split("/")[-1] == "constants.pkl" for name in archive.namelist())
    except (BadZipFile, EOFError, NotImplementedError, OSError, ValueError):
        return False


def _state_dict(path: Path, content: Any, tensor_type: type) -> tuple[Entries, Skipped]:
    """The tensors of a checkpoint by name, and what is left out."""
    skipped: Skipped = []
    state = content
    if isinstance(content, Mapping):
        wrapper = next((key for key in _WRAPPERS if isinstance(content.get(key), Mapping)), None)
        if wrapper is not None:
            state = content[wrapper]
            # Training's bookkeeping is no part of a network; a second set of weights would be.
            others = [key for key, value in content.items() if key != wrapper and _holds(value, tensor_type)]
            skipped += [(str(key), f"beside {wrapper!r}") for key in others]
    if not isinstance(state, Mapping) or not _holds(state, tensor_type):
        got = f"a dict of {', '.join(map(repr, list(state)[:5])) or 'nothing'}" if isinstance(state, Mapping) else None
        raise ValueError(
            f"The file {str(path)!r} must hold a state dict, bare or as {', '.join(map(repr, _WRAPPERS))}. "
            f"Got {got or type(state).__name__} instead. Save model.state_dict()."
        )
    tensors = {key: value for key, value in state.items() if isinstance(key, str) and isinstance(value, tensor_type)}
    skipped += [(str(key), "not a tensor with a name") for key in state if key not in tensors]
    return tensors, skipped


def _holds(value: Any, tensor_type: type) -> bool:
    """Whether a value is a tensor, or a dict with one."""
    entries = value.values() if isinstance(value, Mapping) else [value]
    return any(isinstance(entry, tensor_type) for entry in entries)


def _check_tensors(path: Path, state: Mapping[str, Any]) -> None:
    """Raise ValueError where tensors repeat what is stored more often than tied weights do: it would fill memory."""
    claimed = sum(tensor.numel() * tensor.element_size() for tensor in state.values())
    if claimed > 4 * path.stat().st_size + 2**24:
        raise ValueError(
            f"The file {str(path)!r} claims {claimed} bytes of tensors, far more than it holds. It is damaged or made "
            "to exhaust memory. Save contiguous tensors."
        )


def _without_prefix(state: Entries) -> Entries:
    """The entries without what wrappers of a module put before the name of every layer."""
    while True:
        weights = [key for key in state if key.endswith(".weight")]
        prefix = next((p for p in _PREFIXES if weights and all(key.startswith(p) for key in weights)), None)
        bare = [] if prefix is None else [key.removeprefix(prefix) for key in state]
        if not bare or len(set(bare)) < len(state):
            return state
        state = dict(zip(bare, state.values(), strict=True))


_READERS: dict[str, Callable[[Path], tuple[Entries, Skipped]]] = {
    ".npz": _from_npz,
    ".safetensors": _from_safetensors,
    ".safetensors.index.json": _from_shards,
    ".pt": _from_torch,
    ".pth": _from_torch,
    ".ckpt": _from_torch,
    ".h5": _from_hdf5,
    ".hdf5": _from_hdf5,
}
