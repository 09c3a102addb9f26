"""Keras on JAX and TensorFlow: the same networks and figures as on PyTorch, and no other framework is imported."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import keras_models
import numpy as np
import pytest

BACKENDS = ["jax", "tensorflow"]
MODELS = [f"keras/test_{name}.py" for name in ("models", "convolutions", "left_alone", "refused")]
FILES = ["files/test_keras_files.py", "files/test_hdf5_files.py"]
TESTS = Path(__file__).parents[2]


def _on(backend, *command):
    """What a process says in which Keras runs on a backend."""
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    paths = os.pathsep.join([str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": paths}
    return subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def here():
    assert keras.backend.backend() == "torch"
    return json.loads(json.dumps({name: keras_models.described(name) for name in keras_models.MODELS}))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.endurance
def test_the_same_networks_and_figures(here, backend):
    done = _on(backend, str(TESTS / "keras_models.py"))
    assert done.returncode == 0, done.stderr
    there = json.loads(done.stdout.splitlines()[-1])
    assert there["imported"] == [backend]
    assert set(there["models"]) == set(here)
    assert len(here) >= 20
    for name, told in there["models"].items():
        for what in ("layers", "restarts", "skipped"):
            assert told[what] == here[name][what], name
        if told["restarts"]:
            # Ranges that were seen are those of what the backend itself computed, in its own rounding.
            np.testing.assert_allclose(told["ranges"], here[name]["ranges"], rtol=1e-5)
            np.testing.assert_allclose(told["ei"], here[name]["ei"], atol=1e-3)
        else:
            assert told["ranges"] == here[name]["ranges"], name
            assert told["ei"] == here[name]["ei"], name


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.slow
def test_the_example(backend, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = _on(backend, str(TESTS.parent / "examples" / "keras_fit.py"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "keras_fit.gif").stat().st_size > 10_000


@pytest.mark.parametrize(
    "names",
    [pytest.param(MODELS, marks=pytest.mark.endurance), FILES],
    ids=["models", "files"],
)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.slow
def test_all_tests_of_keras(backend, names):
    code = (
        "import sys, pytest; failed = pytest.main(['-q', '-n', '0', '-p', 'no:cacheprovider', *sys.argv[1:]]); "
        "print(sorted({'torch', 'jax', 'tensorflow'} & set(sys.modules))); sys.exit(failed)"
    )
    done = _on(backend, "-c", code, *(str(TESTS / "adapters" / name) for name in names))
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == f"['{backend}']"


@pytest.mark.slow
def test_arrays_import_no_framework():
    code = (
        "import sys, numpy as np, ei_fast as ef; ef.analyze(np.eye(3)); "
        "print(sorted({'torch', 'keras', 'jax', 'tensorflow', 'flax'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
