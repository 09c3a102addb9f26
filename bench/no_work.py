"""What a batch takes beside measuring: ``python bench/no_work.py``.

Many small checkpoints are read, hashed and written as results, by 1, 2 and 8 processes with a shard each, and the
measurement is replaced by a report that is there already. Printed is the CPU time of an item.
"""

import os
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np

import ei_fast as ef
from ei_fast.cluster import plan, run

WIDTHS = (25, 6, 6, 6, 5)
PROCESSES = (1, 2, 8)


def _network(rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {f"w{k}": rng.normal(size=shape) for k, shape in enumerate(pairwise(WIDTHS))}


def _run_shard(folder: str, shard: int) -> None:
    """Do all of a shard, where each measurement is the one report that is computed before the clock starts."""
    ef.warmup()
    report = ef.analyze(_network(np.random.default_rng(0)), random_state=0, pairwise="none")
    ef.EffectiveInformation.measure = lambda *args, **kwargs: report
    begun = _cpu_seconds()
    summary = run(folder, shard, processes=1)
    print(_cpu_seconds() - begun, summary.done)


def _cpu_seconds() -> float:
    return sum(os.times()[:2])


def _milliseconds_each(checkpoints: Path, out: Path, n_processes: int) -> float:
    plan(checkpoints, out, n_processes, ef.EffectiveInformation(random_state=0, pairwise="none"))
    commands = [[sys.executable, __file__, str(out), str(shard)] for shard in range(n_processes)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for command in commands]
    told = [process.communicate()[0].split() for process in started]
    seconds, done = sum(float(one[0]) for one in told), sum(int(one[1]) for one in told)
    assert done == len(list(checkpoints.iterdir()))
    return 1e3 * seconds / done


def main(n_items: int) -> None:
    """Print the CPU time of an item for each number of processes."""
    with tempfile.TemporaryDirectory() as folder:
        checkpoints, rng = Path(folder) / "checkpoints", np.random.default_rng(0)
        checkpoints.mkdir()
        for step in range(n_items):
            np.savez(checkpoints / f"{step}.npz", **_network(rng))
        for n in PROCESSES:
            taken = _milliseconds_each(checkpoints, Path(folder) / f"by-{n}", n)
            print(f"{n} processes: {taken:.2f} ms of a core an item", flush=True)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        _run_shard(sys.argv[1], int(sys.argv[2]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
