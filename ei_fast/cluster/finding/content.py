"""What a checkpoint consists of: its file, and where that is an index the files that it names."""

import hashlib
import json
from pathlib import Path


def content_hash(path: Path) -> str:
    """Of the bytes of a checkpoint, and of all files that it names: those beside an index."""
    digest = hashlib.sha256()
    for one in [path, *_beside(path)]:
        with one.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def size_of(path: Path) -> int:
    """Bytes of a checkpoint, as `content_hash` takes them."""
    return sum(one.stat().st_size for one in [path, *_beside(path)])


def _beside(path: Path) -> list[Path]:
    if not path.name.endswith(".index.json"):
        return []
    try:
        index = json.loads(path.read_bytes())
        return [path.with_name(name) for name in sorted(set(index["weight_map"].values()))]
    except (ValueError, KeyError, TypeError, AttributeError):
        # What is wrong with it is said when it is read.
        return []
