"""Other processes, interruptions, and caches that are empty, shared or cannot be written."""

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import joblib
import numpy as np
import pytest
from slow_cases import some_slow

import ei_fast as ef

PACKAGE = Path(ef.__file__).parent
MEASURE = """
import numpy as np
import ei_fast as ef
print(ef.analyze(np.arange(12.0).reshape(4, 3) / 4 - 1, random_state=0)[0].ei)
"""


WEIGHT = np.arange(12.0).reshape(4, 3) / 4 - 1


def _ei(seed=0):
    return ef.analyze(WEIGHT, random_state=seed)[0].ei


@pytest.mark.parametrize("backend", some_slow(["threading", "multiprocessing", "loky"], 2))
def test_inside_joblib(backend):
    reports = joblib.Parallel(n_jobs=2, backend=backend)(
        joblib.delayed(ef.analyze)(WEIGHT, random_state=seed) for seed in (0, 1, 0, 1)
    )
    assert [report[0].ei for report in reports] == [_ei(0), _ei(1)] * 2


_IN_A_POOL = """
import multiprocessing, sys, warnings
import numpy as np
import ei_fast as ef

def ei(seed):
    return ef.analyze(np.arange(12.0).reshape(4, 3) / 4 - 1, random_state=seed, n_jobs=2)[0].ei

if __name__ == "__main__":
    # Threads have been at work in the parent before it forks.
    expected = [ei(0), ei(1)]
    with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
        print(pool.map(ei, [0, 1]) == expected)
"""


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
@pytest.mark.slow
def test_inside_a_process_pool(tmp_path, method):
    (tmp_path / "pool.py").write_text(_IN_A_POOL)
    command = [sys.executable, str(tmp_path / "pool.py"), method]
    assert subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout == "True\n"


_LONG = """
import signal, sys, threading
import numpy as np
import ei_fast as ef
# What is started in the background may have it ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
weight = np.random.default_rng(0).normal(size=(60, 12))
# Whatever has to be compiled is: an interruption of the compiler is Numba's to deal with.
ef.analyze(weight, tol=1e-6, random_state=0, n_jobs=2)
print("begun", flush=True)
try:
    for _ in range(1000):
        ef.analyze(weight, tol=1e-6, random_state=0, n_jobs=2)
except KeyboardInterrupt:
    print("stopped", [thread.name for thread in threading.enumerate()], flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
def test_an_interruption_returns_promptly_and_leaves_nothing_running():
    with subprocess.Popen([sys.executable, "-c", _LONG], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "begun\n"
        time.sleep(1.0)
        sent = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "stopped ['MainThread']\n"
        assert time.monotonic() - sent < 3.0
        assert process.wait(timeout=10) == 0


@pytest.mark.endurance
def test_many_processes_compile_into_one_empty_cache(tmp_path):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", MEASURE],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for _ in range(4)
    ]
    results = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, results
    assert {float(out) for out, _ in results} == {_ei()}


@pytest.mark.slow
def test_where_no_cache_can_be_written_everything_works(tmp_path):
    # Files stand where the folders of a cache would be, beside the package and at home: not even root can write there.
    shutil.copytree(PACKAGE, tmp_path / "ei_fast", ignore=shutil.ignore_patterns("__pycache__"))
    for folder in [tmp_path / "ei_fast", *(tmp_path / "ei_fast").rglob("*/")]:
        (folder / "__pycache__").write_text("")
    (tmp_path / "home").write_text("")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA_", "XDG_"))}
    environment |= {"PYTHONPATH": str(tmp_path), "HOME": str(tmp_path / "home")}
    check = f"import ei_fast; assert ei_fast.__file__.startswith({str(tmp_path)!r})\n"
    ran = subprocess.run(
        [sys.executable, "-c", check + MEASURE],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        check=False,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr
    assert float(ran.stdout) == _ei()
    assert not list(tmp_path.rglob("*.nb?"))


@pytest.mark.slow
def test_a_cache_folder_that_is_a_file(tmp_path):
    (tmp_path / "cache").write_text("")
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    ran = subprocess.run(
        [sys.executable, "-c", MEASURE], capture_output=True, text=True, env=environment, check=False, timeout=300
    )
    assert ran.returncode == 0, ran.stderr
    assert float(ran.stdout) == _ei()
