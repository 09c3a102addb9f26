"""Tensors of several files, and the index that says which of them holds which."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Entries = dict[str, Any]
Skipped = list[tuple[str, str]]

# Objects that a description makes take up to a hundred times its own size.
MAX_JSON = 2**22


def entries_of_index(
    path: Path, suffix: str, read: Callable[[Path], Mapping[str, Any]], kind: str
) -> tuple[Entries, Skipped]:
    """All tensors that an index names, and those of its files that it does not.

    Parameters
    ----------
    path : path
        JSON with ``"weight_map"``, the name of a file for each tensor.
    suffix : str
        Of these files.
    read : callable
        Returns the tensors of one of them.
    kind : str
        What they are called.

    Raises
    ------
    ValueError
        Where it is damaged, names other files than those beside it, or tensors that are not in these.
    """
    if path.stat().st_size > MAX_JSON:
        raise ValueError(f"The file {str(path)!r} must be smaller than {MAX_JSON} bytes to be read as an index.")
    try:
        places = json.loads(path.read_bytes())["weight_map"]
        names = sorted(set(places.values()))
        if not all(isinstance(name, str) for name in names):
            raise TypeError("names of shards must be strings")
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise ValueError(
            f"The file {str(path)!r} must be an index of {kind} files: JSON with 'weight_map', the name of a file "
            f"for each tensor. It is damaged or of another kind ({type(error).__name__}: {error}). Save the model "
            "again, index and shards together."
        ) from None
    entries: Entries = {}
    skipped: Skipped = []
    for name in names:
        for key, tensor in read(_shard(path, name, suffix)).items():
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


def _shard(index: Path, name: str, suffix: str) -> Path:
    """The shard beside its index; never a file elsewhere, whatever the index says."""
    if name != Path(name).name or "\\" in name or not name.endswith(suffix):
        raise ValueError(
            f"The file {str(index)!r} must name {suffix} files in its own folder. Got {name!r} instead. "
            "Put the shards beside it and name them so."
        )
    shard = index.with_name(name)
    if not shard.is_file():
        raise ValueError(f"The file {str(index)!r} names {name!r}, which is not beside it. Put it there.")
    return shard
