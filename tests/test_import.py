"""`import ei_fast` is light and changes nothing around it. Every check runs in a fresh process."""

import os
import subprocess
import sys

import pytest

import ei_fast as ef


def _python(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, **environment}
    ).stdout.split()


def test_importing_loads_no_framework_and_nothing_heavy():
    heavy = [
        "torch",
        "keras",
        "tensorflow",
        "onnx",
        "jax",
        "flax",
        "pandas",
        "matplotlib",
        "sklearn",
        "scipy",
        "joblib",
        "numba",
        "click",
        "tqdm",
        "PIL",
        "bokeh",
        "lightning",
        "transformers",
        "skorch",
    ]
    code = f"import sys, ei_fast; print(*[name for name in {heavy} if name in sys.modules])"
    assert _python(code) == []


@pytest.mark.slow
def test_measuring_arrays_loads_no_framework():
    frameworks = ["torch", "keras", "tensorflow", "onnx", "jax", "flax", "safetensors", "sklearn", "pandas"]
    code = (
        "import sys, ei_fast, numpy as np; ei_fast.analyze({'w0': np.ones((2, 2))}, random_state=0); "
        f"print(*[name for name in {frameworks} if name in sys.modules])"
    )
    assert _python(code) == []


@pytest.mark.slow
def test_importing_changes_no_global_state():
    code = """
import logging, os, random, sys, threading, warnings
import numpy as np
# Sets variables of OpenMP where they are not set: that is scikit-learn's doing, whoever imports it.
import sklearn
before = lambda: (
    logging.root.level, list(logging.root.handlers), random.getstate(), str(np.random.get_state()), dict(os.environ),
    threading.active_count(), list(warnings.filters), np.geterr(), np.get_printoptions(),
)
state = before()
import ei_fast
from ei_fast import EffectiveInformation, Recorder, CausalPlaneDisplay
import matplotlib, numba
print(state[:6] == before()[:6], state[7:] == before()[7:], "matplotlib.pyplot" in sys.modules)
print(numba.get_num_threads() == numba.config.NUMBA_NUM_THREADS)
"""
    assert _python(code) == ["True", "True", "False", "True"]


def test_importing_compiles_nothing(tmp_path):
    code = """
from numba.core import event
with event.install_recorder("numba:compile") as recorder:
    from ei_fast import EffectiveInformation, Recorder
    import ei_fast.kernels.dense, ei_fast.kernels.counting, ei_fast.kernels.edges
print(len(recorder.buffer))
"""
    assert _python(code, NUMBA_CACHE_DIR=str(tmp_path)) == ["0"]
    assert not list(tmp_path.rglob("*.nb?"))


@pytest.mark.endurance
def test_the_number_of_cache_files_stays_constant(tmp_path):
    code = (
        "import ei_fast, numpy as np; ei_fast.analyze([np.arange(6.).reshape(3, 2), np.ones((2, 9))], random_state=0)"
    )
    counts = []
    for _ in range(3):
        _python(code, NUMBA_CACHE_DIR=str(tmp_path))
        counts.append(len(list(tmp_path.rglob("*.nb?"))))
    assert counts[0] == counts[1] == counts[2] > 0


def test_public_names():
    for name in ef.__all__:
        # Once it is imported the module stands in the function's place, and can be called as well.
        assert getattr(ef, name).__name__.removeprefix("ei_fast.") == name
        assert callable(getattr(ef, name))
        assert name in dir(ef)
    with pytest.raises(AttributeError, match="no_such_name"):
        ef.no_such_name  # noqa: B018


def test_names_can_be_used_first_where_numpy_raises_at_every_underflow():
    code = (
        "import numpy as np, ei_fast as ef\nwith np.errstate(all='raise'):\n    ef.Recorder, ef.analyze, ef.jacobian_ei"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
