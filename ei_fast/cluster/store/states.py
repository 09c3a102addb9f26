"""What may have become of a task, or of a checkpoint."""

from enum import StrEnum


class State(StrEnum):
    """What has become of a task, or of a checkpoint."""

    DONE = "done"
    """Done now; of a checkpoint, that there is a result."""
    THERE = "there"
    """Done before."""
    FAILED = "failed"
    """Something went wrong with it, and it is noted what."""
    MISSING = "missing"
    """Not done yet, nor failed."""
