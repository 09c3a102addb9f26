"""Batches that something happens to, and the processes that run them."""

import subprocess
import sys
import time
from contextlib import suppress
from itertools import pairwise

import numpy as np

import ei_fast as ef
from ei_fast.cluster import merge, plan, run

DATA = ("trajectory.npz", "trajectory.csv", "trajectory.parquet")
COMMAND = [sys.executable, "-c", "from ei_fast.cli import main; main(prog_name='ei-fast')", "batch"]
# A measurement of 50 ms, so that much of a run's time is spent inside one.
LONG = {"n_samples": 2**19, "pairwise": "none", "random_state": 0}
SHORT = {"n_samples": 2**12, "pairwise": "none", "random_state": 0}


def trained(folder, n=4, widths=(4, 3), seed=0):
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for step in range(n):
        np.savez(folder / f"{step}.npz", **_weights(rng, widths))
    return folder


def _weights(rng, widths):
    return {f"w{k}": rng.normal(size=size) for k, size in enumerate(pairwise(widths))}


def planned(checkpoints, out, shards=1, settings=SHORT, **how):
    plan(checkpoints, out, shards, ef.EffectiveInformation(**settings), **how)
    return out


def started(*args, **how):
    """A command in a process group of its own."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([*COMMAND, *map(str, args)], start_new_session=True, **pipes, **how)


def said_by(*args, **how):
    """Exit code, and all that a command says."""
    process = started(*args, **how)
    out, err = process.communicate(timeout=300)
    return process.returncode, out + err


def merged(folder):
    merge(folder)
    return [(folder / name).read_bytes() for name in DATA if (folder / name).exists()]


def undisturbed(checkpoints, out, **how):
    planned(checkpoints, out, **how)
    run(out, processes=1)
    return merged(out)


def files_of(folder, *kinds):
    """Results (or other kinds) that are there, each with what tells whether it was written again."""
    found = (path for kind in kinds or ("results",) for path in (folder / kind).glob("*/*") if path.name[0] != ".")
    written = {}
    for path in found:
        # A part goes when all of them have been put together, which may be now.
        with suppress(FileNotFoundError):
            about = path.stat()
            written[path] = about.st_ino, about.st_mtime_ns
    return written


def unfinished(folder):
    return [path for path in folder.rglob("*.tmp")]


def until(holds, seconds=300.0):
    """Wait for something; False where it takes too long: in a new environment a run begins by compiling kernels."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.01)
    return False


def something_is_done(folder, process):
    before = len(files_of(folder, "results", "parts"))
    return lambda: len(files_of(folder, "results", "parts")) != before or process.poll() is not None
