"""Two worker processes against one, on the same two cores: ``python bench/batch.py``.

Each pair runs the same checkpoints with one process of one thread and with two, one after the other. Workers are
started and have their kernels before the clock starts; what is timed is the work from then on.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import ei_fast as ef
from ei_fast.cluster import plan, run

N_ITEMS = 60
SETTINGS = {"n_samples": 2**21, "pairwise": "none", "random_state": 0}


def _seconds(checkpoints: Path, out: Path, processes: int) -> float:
    plan(checkpoints, out, 1, ef.EffectiveInformation(**SETTINGS))
    # So many cores for so many processes: one thread each.
    os.environ["SLURM_CPUS_PER_TASK"] = str(processes)
    begun = time.perf_counter()
    summary = run(out, processes=processes)
    seconds = time.perf_counter() - begun
    assert summary.done == len(list(checkpoints.iterdir()))
    return seconds


def main(pairs: int) -> None:
    """Print the ratio of every pair, and their median and range."""
    with tempfile.TemporaryDirectory() as folder:
        base, rng = Path(folder), np.random.default_rng(0)
        for name, n in (("few", 6), ("many", N_ITEMS)):
            (base / name).mkdir()
            for step in range(n):
                np.savez(base / name / f"{step}.npz", w0=rng.normal(size=(8, 6)))
        ratios = []
        for k in range(pairs):
            _seconds(base / "few", base / f"warm{k}", 2)
            # The order alternates: a machine's speed drifts.
            taken = {n: _seconds(base / "many", base / f"{k}-{n}", n) for n in ((1, 2) if k % 2 else (2, 1))}
            one, two = taken[1], taken[2]
            ratios.append(one / two)
            print(
                f"{1e3 * one / N_ITEMS:.0f} ms an item by one process, {ratios[-1]:.2f} times as fast by two",
                flush=True,
            )
        print(f"median {statistics.median(ratios):.2f}, from {min(ratios):.2f} to {max(ratios):.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
