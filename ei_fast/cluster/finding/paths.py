"""What the path of a file says: whose checkpoint it is, and of which step where a pattern finds that."""

import re
from dataclasses import dataclass

from ei_fast.cluster.finding.patterns import step_group

INDICES = (".safetensors.index.json", ".bin.index.json")
BINARY = (".bin.index.json", ".bin")
"""Of PyTorch's files as Hugging Face calls them, beside which safetensors may lie."""
SUFFIXES = (
    *(*INDICES, ".npz", ".safetensors", ".pt", ".pth", ".ckpt", ".bin"),
    *(".keras", ".onnx", ".weights.h5", ".h5", ".hdf5"),
)
"""Of files that `as_network` reads."""


@dataclass(frozen=True)
class FromPath:
    """What the path of a file says.

    Attributes
    ----------
    run : str
    step : int or None
        Where a pattern finds it.
    in_folder : bool
        Whether it does in the name of a folder.
    is_run_told : bool
        Whether a pattern or a table says the run.
    step_end : int
        Where the digits of the step end in the file's name; 0 where no pattern finds them there.
    """

    run: str
    step: int | None = None
    in_folder: bool = False
    is_run_told: bool = False
    step_end: int = 0


def from_path(name: str, pattern: re.Pattern[str] | None) -> FromPath:
    """What a pattern finds in the name of a file, or in its path: first without the suffix, then with it."""
    bare, folder = bare_name(name), folder_of(name)
    if pattern is None:
        return FromPath(folder)
    begin = len(folder) + 1 if folder else 0
    for text, offset in ((bare, begin), (name[: begin + len(bare)], 0), (name, 0)):
        found, of_step = pattern.search(text), step_group(pattern)
        if found is None or found[of_step] is None:
            continue
        if not (found[of_step].isascii() and found[of_step].isdecimal()):
            break
        which = name.count("/", 0, offset + found.start(of_step))
        parts = folder.split("/") if folder else []
        run = "/".join(part for k, part in enumerate(parts) if k != which)
        named_run = (found["run"] or "").strip("/") if "run" in pattern.groupindex else ""
        if named_run:
            # What is found in the path has the folders that matter in it.
            run = named_run if text is not bare or not run else f"{run}/{named_run}"
        end = max(0, offset + found.end(of_step) - begin)
        return FromPath(run, checked_step(int(found[of_step]), name), which < len(parts), bool(named_run), end)
    raise ValueError(
        f"The step of {name!r} cannot be told: {pattern.pattern!r} finds no number in {bare!r}, nor in the path below "
        "the folder of the checkpoints. Give step_pattern=, a regular expression with one group around the digits of "
        "the step; or table=, a CSV with columns file and step; or a glob that leaves the file out."
    )


def bare_name(name: str) -> str:
    """A file's name without its folders and its suffix."""
    bare = name.rpartition("/")[2]
    return bare.removesuffix(next(suffix for suffix in SUFFIXES if bare.endswith(suffix)))


def folder_of(name: str) -> str:
    """The folder of a file, below that of the checkpoints; "" for that folder itself."""
    return name.rpartition("/")[0]


def checked_step(step: int, name: str) -> int:
    """The step, if it is one that files and trajectories can hold."""
    if not 0 <= step < 2**63:
        raise ValueError(f"The step of {name!r} must be from 0 to 2**63 - 1. Got {step}.")
    return step
