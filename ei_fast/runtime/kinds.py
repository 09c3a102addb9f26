"""What a file is by its first bytes, whatever it is called: so that what cannot be read is refused as what it is."""

from collections.abc import Callable
from pathlib import Path
from zipfile import BadZipFile, ZipFile

_LONGEST_HEADER = 2**32
_TORCH = "torch"
_SUFFIXES = {
    _TORCH: ("a file that torch.save wrote", ".pt"),
    "npz": ("an .npz file", ".npz"),
    "keras": ("a .keras file", ".keras"),
    "hdf5": ("an HDF5 file", ".h5"),
    "safetensors": ("a safetensors file", ".safetensors"),
}
_PICKLES = tuple(b"\x80" + bytes([protocol]) for protocol in (2, 3, 4, 5))
# Pickled, the number that files of torch.save before 1.6 begin with.
_LEGACY = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."


def other_kind(path: Path, expected: str = "") -> str:
    """What a file is, and what to do with it: sentences, or "" where it is of the expected kind, or not known.

    Parameters
    ----------
    path : path
    expected : str, optional
        ``"torch"``, ``"npz"``, ``"keras"``, ``"hdf5"`` or ``"safetensors"``: how it was to be read.
    """
    try:
        with path.open("rb") as file:
            begin = file.read(512)
    except OSError:
        return ""
    for is_so, said in _BY_BYTES:
        if is_so(begin):
            return said(path)
    kind = _kind_of_container(path, begin)
    if kind == "" or kind == expected:
        return ""
    what, suffix = _SUFFIXES[kind]
    return f"It is {what}. Rename it to end in {suffix}."


def is_torch(path: Path) -> bool:
    """Whether a file is one that torch.save wrote, of whatever version, or a pickle; False where there is none."""
    try:
        with path.open("rb") as file:
            begin = file.read(512)
    except OSError:
        return False
    return begin.startswith(_PICKLES) or _kind_of_container(path, begin) == _TORCH


def _kind_of_container(path: Path, begin: bytes) -> str:
    if begin.startswith(b"\x89HDF\r\n\x1a\n"):
        return "hdf5"
    if begin[8:9] == b"{" and 2 <= int.from_bytes(begin[:8], "little") < _LONGEST_HEADER:
        return "safetensors"
    if not begin.startswith(b"PK\x03\x04"):
        return ""
    try:
        with ZipFile(path) as archive:
            names = archive.namelist()
    except (BadZipFile, NotImplementedError, OSError, ValueError):
        return ""
    last = {name.split("/")[-1] for name in names}
    if {"data.pkl", "constants.pkl"} & last:
        return _TORCH
    if {"config.json", "metadata.json"} <= set(names):
        return "keras"
    return "npz" if names and all(name.endswith(".npy") for name in names) else ""


def _legacy(path: Path) -> str:
    return (
        "It is of a format that torch.save wrote before PyTorch 1.6. Write it anew with "
        f"torch.save(torch.load({str(path)!r}, weights_only=True), 'weights.pt'), and give that file."
    )


def _pickle(path: Path) -> str:
    return (
        "It is a pickle, which could run code and is not read. If you trust it, load it yourself, and pass the "
        "model or its weights."
    )


def _compressed(path: Path) -> str:
    return "It is compressed by gzip. Write what gzip.open(path).read() gives into a file, and give that."


def _array(path: Path) -> str:
    return (
        "It is a single array. Pass it as an array, or put the weights of all layers into one file with "
        "numpy.savez('weights.npz', w0=weight)."
    )


def _pointer(path: Path) -> str:
    return "It is a pointer of Git LFS to the file itself. Download that with git lfs pull in its repository."


def _page(path: Path) -> str:
    return "It is the text of a web page. Download the file itself, by the address behind its download button."


def _empty(path: Path) -> str:
    return "It is empty. Copy it again, or write it anew."


def _gguf(path: Path) -> str:
    return (
        "It is a GGUF file of llama.cpp, whose weights are quantised in blocks and which is not read. Give the "
        ".safetensors or .bin files that it was made from, or their index."
    )


_BY_BYTES: tuple[tuple[Callable[[bytes], bool], Callable[[Path], str]], ...] = (
    (lambda begin: not begin, _empty),
    (lambda begin: begin.startswith(_PICKLES) and _LEGACY in begin[:20], _legacy),
    (lambda begin: begin.startswith(_PICKLES), _pickle),
    (lambda begin: begin.startswith(b"\x1f\x8b"), _compressed),
    (lambda begin: begin.startswith(b"\x93NUMPY"), _array),
    (lambda begin: begin.startswith(b"GGUF"), _gguf),
    (lambda begin: begin.startswith(b"version https://git-lfs"), _pointer),
    (lambda begin: begin.lstrip().lower().startswith((b"<!doctype html", b"<html", b"<?xml")), _page),
)
