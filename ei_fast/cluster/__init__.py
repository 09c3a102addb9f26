"""Thousands of checkpoints on a CPU cluster: a plan, shards that run it, a merge that equals one machine's work.

The batch lives in a folder that all jobs see. Files are written whole or not at all, and every result is named by
a hash of what it was computed from, so that a batch may be stopped anywhere, by anything, and run again.
"""

from ei_fast.cluster.merging import merge
from ei_fast.cluster.planning import plan
from ei_fast.cluster.progress import status
from ei_fast.cluster.running import run

__all__ = ["merge", "plan", "run", "status"]
