"""How the points of a stage are divided into tasks of threads. No figure depends on it."""

from ei_fast.intervention.do import Intervention
from ei_fast.kernels.products import BLOCK
from ei_fast.measures.constants import LEAST_TASK_WORK, SHARES


def points_a_task(intervention: Intervention, n_points: int, most: int) -> int:
    """Points of one thread's task, of so many: SHARES tasks, unless these would be too short; `most` at the most.

    Somebody else's code, which one thread calls, sees `most` at once.
    """
    if not intervention.is_thread_safe:
        return most
    least = max(1, LEAST_TASK_WORK // intervention.work // BLOCK) * BLOCK
    n_tasks = min(max(n_points // least, 1), SHARES)
    return max(1, min(most, -(-n_points // n_tasks)))
