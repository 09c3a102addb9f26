"""What a job tells about itself: its place in an array of tasks, and how much memory it may take."""

import os
from pathlib import Path

from ei_fast.runtime.threads import available_cores

_ARRAY_TASK = "SLURM_ARRAY_TASK_ID"
# Version 1 of cgroups states "no limit" as the largest multiple of a page that fits into 63 bits.
_ABSURD = 2**60


def shard_from_environment() -> int | None:
    """Number of this task in Slurm's array of tasks; None outside one.

    Raises
    ------
    ValueError
        Where the number is not an integer.
    """
    stated = os.environ.get(_ARRAY_TASK)
    if stated is None:
        return None
    if not stated.isdecimal():
        raise ValueError(
            f"The environment variable {_ARRAY_TASK} must be an integer >= 0. Got {stated!r} instead. "
            "Name the shard, as shard=0."
        )
    return int(stated)


def memory_limit(cgroup: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Bytes that this process may take: the least that its cgroups, Slurm, its own limit and the machine say.

    Parameters
    ----------
    cgroup : Path
        File that names the cgroups of the process.
    root : Path
        Folder in which cgroups are mounted.

    Returns
    -------
    int or None
        None where nothing is known.
    """
    stated = [*_of_cgroups(cgroup, root), _of_slurm(), _of_process(), _of_machine()]
    return min((limit for limit in stated if limit is not None and 0 < limit < _ABSURD), default=None)


def _of_cgroups(cgroup: Path, root: Path) -> list[int | None]:
    """Limits of each cgroup that the process is in, and of all around it."""
    limits = []
    for line in _text(cgroup).splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if not controllers:
            top, name = root, "memory.max"
        elif "memory" in controllers.split(","):
            top, name = root / "memory", "memory.limit_in_bytes"
        else:
            continue
        # Inside a container the path may be the host's; its own cgroup is then mounted at the top.
        folder = top / path.lstrip("/")
        limits += [_whole(_text(one / name)) for one in (folder, *folder.parents) if one.is_relative_to(top)]
    return limits


def _of_slurm() -> int | None:
    """SLURM_MEM_PER_NODE, or SLURM_MEM_PER_CPU for each core, in MB; 0 asks for all of a node."""
    node, core = (_whole(os.environ.get(f"SLURM_MEM_PER_{unit}", "")) for unit in ("NODE", "CPU"))
    megabytes = node or (core or 0) * available_cores()
    return megabytes * 2**20 or None


def _of_process() -> int | None:
    try:
        import resource
    except ImportError:
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if limit == resource.RLIM_INFINITY else limit


def _of_machine() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _whole(text: str) -> int | None:
    return int(text) if text.strip().isdecimal() else None
