"""What is done in one go, and which shard does what."""

import heapq
from collections.abc import Sequence

from ei_fast.cluster.planning.batch import Part, Task
from ei_fast.cluster.planning.costs import PartCounts


def tasks_of(n_checkpoints: int, unsplit: float, part_counts: PartCounts, longest: float) -> list[Task]:
    parts = [Part(layer, measure, k, n) for (layer, measure), n in part_counts.items() for k in range(n)]
    if not parts:
        return [Task(index, None, unsplit) for index in range(n_checkpoints)]
    # Whoever has the last part measures what is not split as well.
    return [
        Task(index, part, longest + (unsplit if part is parts[-1] else 0.0))
        for index in range(n_checkpoints)
        for part in parts
    ]


def shared_out(tasks: Sequence[Task], n_shards: int) -> tuple[tuple[Task, ...], ...]:
    """The tasks of every shard, in their order: the longest first to whoever has least."""
    loads = [(0.0, shard) for shard in range(n_shards)]
    given: list[list[int]] = [[] for _ in range(n_shards)]
    for index in sorted(range(len(tasks)), key=lambda index: -tasks[index].seconds):
        load, shard = heapq.heappop(loads)
        given[shard].append(index)
        heapq.heappush(loads, (load + tasks[index].seconds, shard))
    return tuple(tuple(tasks[index] for index in sorted(indices)) for indices in given)
