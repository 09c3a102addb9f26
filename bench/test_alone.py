"""ei_fast alone: layers of every size, growth, threads, memory, and the start of a process."""

import os
import subprocess
import sys

import pytest
from shapes import WIDTHS, weight_of

import ei_fast as ef

WEIGHTS = {f"{a}->{b}": weight_of(a, b) for a, b in WIDTHS}
FIRST_REPORT = """
import numpy as np
import ei_fast as ef
ef.analyze(np.random.default_rng(0).uniform(-0.2, 0.2, (25, 6)), random_state=0)
"""


@pytest.mark.parametrize("bins", [8, 64])
@pytest.mark.parametrize("name", WEIGHTS)
def test_report(benchmark, name, bins):
    benchmark.group = f"whole report, {bins} bins"
    (layer,) = benchmark.pedantic(
        ef.analyze, (WEIGHTS[name],), {"bins": bins, "random_state": 0}, rounds=3, warmup_rounds=1
    )
    assert layer.ei_interval[0] <= layer.ei <= layer.ei_interval[1]


@pytest.mark.parametrize("n_samples", [2**k for k in (16, 18, 20, 22)])
@pytest.mark.parametrize("measure", ["conditional", "histogram"])
def test_growth_with_samples(benchmark, measure, n_samples):
    benchmark.group = f"growth with samples, {measure}"
    params = {"n_samples": n_samples, "random_state": 0}
    if measure == "conditional":
        benchmark.pedantic(ef.analyze, (WEIGHTS["25->6"],), params | {"pairwise": "none"}, rounds=3, warmup_rounds=1)
    else:
        params["pairwise"] = "histogram"
        benchmark.pedantic(ef.ei_parts_matrix, (WEIGHTS["25->6"],), params, rounds=3, warmup_rounds=1)


@pytest.mark.parametrize("n", [64, 128, 256, 512])
@pytest.mark.parametrize("side", ["n_in", "n_out"])
@pytest.mark.parametrize("measure", ["sensitivity", "EI_parts"])
def test_growth_with_width(benchmark, measure, side, n):
    benchmark.group = f"growth with {side}, {measure}"
    weight = weight_of(n, 64) if side == "n_in" else weight_of(64, n)
    function = ef.sensitivity_matrix if measure == "sensitivity" else ef.ei_parts_matrix
    benchmark.pedantic(function, (weight,), rounds=3, warmup_rounds=1)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_threads(benchmark, n_jobs):
    benchmark.group = "100->30, 4 million points"
    params = {"n_samples": 2**22, "random_state": 0, "pairwise": "none", "n_jobs": n_jobs}
    benchmark.pedantic(ef.analyze, (WEIGHTS["100->30"],), params, rounds=5, warmup_rounds=1)


@pytest.mark.parametrize("code", ["import numba", "import ei_fast", "from ei_fast import analyze"])
def test_import(benchmark, code):
    benchmark.group = "import"
    benchmark.pedantic(subprocess.run, ([sys.executable, "-c", code],), {"check": True}, rounds=5, warmup_rounds=1)


@pytest.mark.parametrize("cache", ["empty", "warm"])
def test_first_report_of_a_process(benchmark, tmp_path, cache):
    benchmark.group = "first report of a process"
    command = [sys.executable, "-c", FIRST_REPORT]
    runs = iter(range(100))

    def environment():
        folder = tmp_path / (str(next(runs)) if cache == "empty" else "shared")
        return (command,), {"check": True, "env": os.environ | {"NUMBA_CACHE_DIR": str(folder)}}

    benchmark.pedantic(subprocess.run, setup=environment, rounds=2, warmup_rounds=int(cache == "warm"))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_counting_a_million_samples_takes_little_memory(benchmark):
    code = """
from pathlib import Path
import numpy as np
import ei_fast as ef

def kilobytes(name):
    return int(Path("/proc/self/status").read_text().split(name + ":")[1].split()[0])

weight = np.random.default_rng(0).uniform(-0.2, 0.2, (25, 6))
ef.analyze(weight, joint="plugin", pairwise="none", n_samples=1000, random_state=0)
# From here on the peak is counted anew.
Path("/proc/self/clear_refs").write_text("5")
before = kilobytes("VmRSS")
ef.analyze(weight, joint="plugin", pairwise="none", n_samples=10**6, random_state=0)
print(kilobytes("VmHWM") - before)
"""
    ran = benchmark.pedantic(
        subprocess.run, ([sys.executable, "-c", code],), {"check": True, "capture_output": True}, rounds=1
    )
    grown = int(ran.stdout)
    benchmark.extra_info.update(kilobytes=grown)
    # deep-ei takes about 2 GB for the same; the keys alone are 24 MB.
    assert 20_000 < grown < 200_000
