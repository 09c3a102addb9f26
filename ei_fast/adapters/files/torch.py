"""Tensors of files that `torch.save` wrote, without running what may stand beside them."""

import pickle
import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import numpy as np

from ei_fast.adapters.files.nested import WRAPPERS, Levels, without_wrappers_inside
from ei_fast.errors import MissingExtra, missing_extra
from ei_fast.runtime.kinds import other_kind

Entries = dict[str, Any]
Skipped = list[tuple[str, str]]

# Objects that a description makes take up to a hundred times its own size.
_MAX_PICKLED = 2**22
_MAX_DEPTH = 64
_OLDEST_TORCH = (2, 10)
_PREFIXES = ("module.", "_orig_mod.", "model.", "net.")
# How much larger than their file tensors may be: each view once, and all of them, tied weights being views of one.
_MOST_VIEWED, _MOST_TIED, _MARGIN = 4, 64, 2**24


class _PassedOver:
    """Stands for an object that is no tensor. It takes what a file gives it, and does nothing."""

    class_name = ""

    def __init__(self, *args: Any, **kwargs: Any):
        pass

    def __setstate__(self, state: Any) -> None:
        pass


def entries_from_torch(path: Path, prefix: str = "") -> tuple[Entries, Skipped]:
    """Tensors by name, and what is passed over, with the reason.

    Parameters
    ----------
    path : path
    prefix : str
        Of the names of a network that may stand beside another one.

    Raises
    ------
    ImportError
        Where PyTorch is missing or too old.
    ValueError
        For a file of another kind, that is damaged, or that holds no state dict.
    """
    state, skipped = _tensors(path, prefix)
    return _without_prefix(without_wrappers_inside(state)), skipped


def tensors_of_shard(path: Path) -> Entries:
    """Tensors by the very names that they have in one of several files."""
    return _tensors(path, "")[0]


def _tensors(path: Path, prefix: str) -> tuple[Entries, Skipped]:
    torch = _torch(path)
    _check_archive(path)
    with _classes_of_torch_alone(torch):
        content = _content(torch, path)
    state, skipped = _state_dict(path, content, torch.Tensor, prefix)
    _check_tensors(path, state)
    return state, skipped


def _content(torch: Any, path: Path) -> Any:
    """What a file holds; configurations, paths and the like beside the tensors as objects that do nothing."""
    names: list[str] = []
    try:
        names = torch.serialization.get_unsafe_globals_in_checkpoint(path)
        bases: dict[str, type] = dict.fromkeys(names, _PassedOver)
        for _ in range(len(names) + 1):
            try:
                with torch.serialization.safe_globals([(_stand_in(name, base), name) for name, base in bases.items()]):
                    # Mapped, since a checkpoint holds the optimiser's tensors too.
                    return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
            except pickle.UnpicklingError as error:
                # Some are dicts or lists of their own kind, and filled like these.
                filled = re.search(r"Can only (SETITEM|append|extend).*got <class '.*_PassedOver:(.*)'>", str(error))
                if filled is None or bases[filled[2]] is not _PassedOver:
                    raise
                bases[filled[2]] = OrderedDict if filled[1] == "SETITEM" else list
        raise ValueError("its objects refer to each other in a way that is not understood")
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"The file {str(path)!r} holds something else than tensors, which could run code and is not read, or it is "
            f"damaged ({_first_sentence(error)}). Save model.state_dict() instead, or build the model and pass it."
        ) from error
    except Exception as error:
        # A damaged archive or description may fail in any way.
        beside = f", or holds objects of {', '.join(names[:3])} that cannot be passed over" if names else ""
        raise ValueError(
            f"The file {str(path)!r} cannot be read: it is damaged{beside} ({type(error).__name__}). "
            f"{'Save model.state_dict() alone' if names else 'Save it again'}."
        ) from error


@contextmanager
def _classes_of_torch_alone(torch: Any) -> Iterator[None]:
    """Within this, no class of another library is made of what a file holds.

    Libraries, torch_geometric for one, allow theirs for all files that the process reads from then on.
    """
    files = torch.serialization
    allowed = files.get_safe_globals()
    try:
        files.clear_safe_globals()
        files.add_safe_globals([one for one in allowed if _is_of_torch(one[0] if isinstance(one, tuple) else one)])
        yield
    finally:
        files.clear_safe_globals()
        files.add_safe_globals(allowed)


def _is_of_torch(allowed: Any) -> bool:
    return str(getattr(allowed, "__module__", "")).split(".")[0] == "torch"


def _stand_in(name: str, base: type) -> type:
    """What stands for a class that a file names, and is called as that would be."""
    if base is _PassedOver:
        return type(f"_PassedOver:{name}", (_PassedOver,), {"class_name": name})
    # An instance is a plain one of its base: nothing else may be filled.
    return type(name, (), {"__new__": lambda cls, *args, **kwargs: base()})


def _torch(path: Path) -> Any:
    try:
        import torch
    except ImportError as error:
        raise missing_extra(f"The file {str(path)!r}", "PyTorch", "torch") from error
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < _OLDEST_TORCH:
        raise MissingExtra(
            f"The file {str(path)!r} cannot be read safely with PyTorch {torch.__version__}: before 2.10 a file of "
            'weights could run code although only weights were asked for. pip install "ei_fast[torch]".'
        )
    return torch


def _first_sentence(error: Exception) -> str:
    """What PyTorch says was met, without its advice to trust the file."""
    text = str(error).split("WeightsUnpickler error:")[-1].strip()
    return text.split("\n")[0].split(". ")[0].strip(" .")[:200]


def stored_members(path: Path, file: IO[bytes], wrote: str) -> list[ZipInfo]:
    """What an archive holds; ValueError where it is compressed or claims more than its size, which no writer does.

    Parameters
    ----------
    wrote : str
        Who writes such archives.
    """
    members = _members(path, file, wrote)
    compressed = any(member.compress_type != ZIP_STORED for member in members)
    if compressed or sum(member.file_size for member in members) > path.stat().st_size:
        raise ValueError(
            f"The file {str(path)!r} claims to hold more than its size, which {wrote} never does. "
            "It is damaged or made to exhaust memory. Save it again."
        )
    return members


def _members(path: Path, file: IO[bytes], wrote: str) -> list[ZipInfo]:
    try:
        return ZipFile(file).infolist()
    except (BadZipFile, EOFError, NotImplementedError, OSError, ValueError) as error:
        hint = other_kind(path) or f"It is damaged or of another kind ({error}). Save it again."
        raise ValueError(f"The file {str(path)!r} must be an archive that {wrote} wrote. {hint}") from None


def _check_archive(path: Path) -> None:
    """Raise ValueError where a file is not an archive of tensors as `torch.save` writes it."""
    wrote = "torch.save of PyTorch 1.6 or newer"
    with path.open("rb") as file:
        # Archives of other kinds are compressed in part, which is no fault of theirs.
        _check_kind(path, [member.filename for member in _members(path, file, wrote)])
        hint = other_kind(path, "torch")
        if hint:
            raise ValueError(f"The file {str(path)!r} must be an archive that {wrote} wrote. {hint}")
        members = stored_members(path, file, wrote)
    described = max((member.file_size for member in members if member.filename.endswith(".pkl")), default=0)
    if described > _MAX_PICKLED:
        raise ValueError(
            f"The file {str(path)!r} describes what it holds in {described} bytes, above the limit of {_MAX_PICKLED}: "
            "it has more than some 40,000 tensors, or much beside them. Save model.state_dict() alone, or the layers "
            "that are to be measured."
        )


def _check_kind(path: Path, names: list[str]) -> None:
    """Raise ValueError for archives of programs, which PyTorch writes too."""
    last = {name.split("/")[-1] for name in names}
    if "constants.pkl" in last:
        kind, read = "a TorchScript program", "torch.jit.load"
        state = "state_dict()"
    elif "serialized_exported_program.json" in last or any(name.endswith("models/model.json") for name in names):
        kind, read, state = "a program that torch.export wrote", "torch.export.load", "state_dict"
    else:
        return
    raise ValueError(
        f"The file {str(path)!r} is {kind}, which could run code and is not read. If you trust it, write its weights "
        f"with torch.save({read}({str(path)!r}).{state}, 'weights.pt'), and give that file; or build the model and "
        "pass it."
    )


def _state_dict(path: Path, content: Any, tensor_type: type, prefix: str) -> tuple[Entries, Skipped]:
    """The tensors of a checkpoint by name, and what is left out."""
    if isinstance(content, _PassedOver):
        raise ValueError(
            f"The file {str(path)!r} holds something else than tensors ({_kind_of(content)}), which could run code and "
            "is not read. Save model.state_dict() instead, or build the model and pass it."
        )
    skipped: Skipped = []
    state, levels = content, Levels(tensor_type)
    if isinstance(content, Mapping):
        state, skipped = levels.opened(content, prefix)
    if not isinstance(state, Mapping) or not (levels.has_network(state) or _holds(state, tensor_type)):
        raise ValueError(
            f"The file {str(path)!r} must hold a state dict, bare or as {', '.join(map(repr, WRAPPERS))}. "
            f"Got {_said(state)} instead. Save model.state_dict()."
        )
    state = _with_what_belongs(state, tensor_type)
    for key, value in state.items():
        if isinstance(value, _PassedOver) and str(key).split(".")[-1] in ("weight", "bias", "kernel"):
            raise ValueError(
                f"The entry {key!r} of the file {str(path)!r} is no tensor but {_kind_of(value)}, which could run code "
                "and is not read. Save its values as a tensor."
            )
    tensors = {
        key: value
        for key, value in state.items()
        if isinstance(key, str) and isinstance(value, (tensor_type, np.ndarray))
    }
    skipped += [(str(key), _why_no_tensor(value)) for key, value in state.items() if key not in tensors]
    return tensors, skipped


def _with_what_belongs(state: Mapping[Any, Any], tensor_type: type, prefix: str = "") -> dict[Any, Any]:
    """The entries of a state dict and of those inside it; numbers beside a layer's weight as arrays, as tensors are."""
    if prefix.count("/") > _MAX_DEPTH:
        raise ValueError(
            f"A state dict must be nested less deeply than {_MAX_DEPTH} levels. Save model.state_dict() instead."
        )
    found: dict[Any, Any] = {}
    for key, value in state.items():
        name = f"{prefix}{key}" if isinstance(key, str) else key
        if isinstance(key, str) and isinstance(value, Mapping) and _holds_inside(value, tensor_type):
            found |= _with_what_belongs(value, tensor_type, f"{name}/")
        elif isinstance(key, str) and _is_of_layer(key, state) and _is_numbers(value):
            found[name] = np.asarray(value, dtype=np.float64)
        else:
            found[name] = value
    return found


def _is_of_layer(key: str, state: Mapping[Any, Any]) -> bool:
    return "." in key and f"{key.rpartition('.')[0]}.weight" in state


def _is_numbers(value: Any) -> bool:
    entries = value if isinstance(value, (list, tuple)) else [value]
    return bool(entries) and all(isinstance(one, (int, float)) and not isinstance(one, bool) for one in entries)


def _kind_of(value: Any) -> str:
    return f"an object of {value.class_name}" if isinstance(value, _PassedOver) else type(value).__name__


def _why_no_tensor(value: Any) -> str:
    return _kind_of(value) if isinstance(value, _PassedOver) else "not a tensor with a name"


def _said(state: Any) -> str:
    """What stands where a state dict should, in words."""
    if not isinstance(state, Mapping):
        return _kind_of(state)
    entries = [
        f"{key!r} ({_kind_of(value)})" if isinstance(value, _PassedOver) else repr(key)
        for key, value in list(state.items())[:5]
    ]
    return f"a dict of {', '.join(entries) or 'nothing'}"


def _holds(value: Any, tensor_type: type) -> bool:
    """Whether a value is a tensor, or a dict with one."""
    entries = value.values() if isinstance(value, Mapping) else [value]
    return any(isinstance(entry, tensor_type) for entry in entries)


def _holds_inside(value: Mapping[Any, Any], tensor_type: type) -> bool:
    """Whether a dict holds a tensor, or a network further inside."""
    return _holds(value, tensor_type) or Levels(tensor_type).has_network(value)


def _check_tensors(path: Path, state: Mapping[str, Any]) -> None:
    """Raise ValueError where tensors repeat what is stored more often than tied weights do: it would fill memory."""
    views: dict[object, int] = {}
    tied = 0
    for tensor in state.values():
        if isinstance(tensor, np.ndarray):
            continue
        n_bytes = tensor.numel() * tensor.element_size()
        tied += n_bytes
        views[_view(tensor)] = n_bytes
    for claimed, most in ((sum(views.values()), _MOST_VIEWED), (tied, _MOST_TIED)):
        if claimed > most * path.stat().st_size + _MARGIN:
            raise ValueError(
                f"The file {str(path)!r} claims {claimed} bytes of tensors, far more than it holds: the limit is "
                f"{most} times its size. It is damaged or made to exhaust memory, or ties one weight very often. Save "
                "each tensor by itself, as tensor.clone()."
            )


def _view(tensor: Any) -> object:
    """The same for tensors that are one; of sparse ones each is another."""
    try:
        return tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype
    except (NotImplementedError, RuntimeError):
        return id(tensor)


def _without_prefix(state: Entries) -> Entries:
    """The entries without what wrappers of a module put before the name of every layer."""
    while True:
        weights = [key for key in state if key.endswith(".weight")]
        prefix = next((p for p in _PREFIXES if weights and all(key.startswith(p) for key in weights)), None)
        bare = [] if prefix is None else [key.removeprefix(prefix) for key in state]
        if not bare or len(set(bare)) < len(state):
            return state
        state = dict(zip(bare, state.values(), strict=True))
