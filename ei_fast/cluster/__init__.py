"""Thousands of checkpoints on a CPU cluster: a plan, shards that run it, a merge that equals one machine's work.

The batch lives in a folder that all jobs see. Files are written whole or not at all, and every result is named by
a hash of what it was computed from, so that a batch may be stopped anywhere, by anything, and run again.

Six steps, a folder each, from what is used to what uses it; no folder imports one further on:

finding
    Which checkpoints there are, and what their names say of run and step.
store
    The files of a batch's folder: what they are called, how results are kept, locks. It knows nothing of `finding`.
planning
    What a batch is, and the making of one: ranges, costs, shards.
work
    One task from file to result.
running
    Many tasks: processes, memory, what is said meanwhile.
report
    How far a batch is, and the results put together.
"""

from ei_fast.cluster.planning.planning import plan
from ei_fast.cluster.report.merging import merge
from ei_fast.cluster.report.progress import status
from ei_fast.cluster.running.running import run

__all__ = ["merge", "plan", "run", "status"]
