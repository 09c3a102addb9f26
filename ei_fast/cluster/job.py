"""What the job that a process runs in has been given."""

import os


def shard_from_environment() -> int | None:
    """Number of this job in a Slurm array; None where it is in none."""
    given = os.environ.get("SLURM_ARRAY_TASK_ID")
    if given is None:
        return None
    if not given.isdecimal():
        raise ValueError(f"The variable SLURM_ARRAY_TASK_ID must be a whole number. Got {given!r}.")
    return int(given)


def memory_limit() -> int | None:
    """Bytes."""
    return None
