"""What needs a package that is not installed says which, and which extra brings it; all else goes on without it.

One process, in which none of these packages can be found, as after `pip install ei_fast` alone.
"""

import json
import re
import subprocess
import sys
from importlib.metadata import requires

import keras
import pytest
from followed import remedies

PROGRAM = """
import json, sys, warnings

EXTRAS = set({extras})
absent = set(EXTRAS)


class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
        return None


def find_spec(name, package=None):
    # Who asks whether there is a package is told that there is none.
    return None if name.partition(".")[0] in absent else found(name, package)


import importlib.util
found, importlib.util.find_spec = importlib.util.find_spec, find_spec
sys.meta_path.insert(0, Absent())
warnings.simplefilter("error")

import numpy as np
import ei_fast as ef

folder = sys.argv[1]
estimator = ef.EffectiveInformation(activation="linear", bins=4, random_state=0)
recorder = ef.Recorder(estimator)
report = recorder.record([np.eye(2)], step=0, loss=1.0)
trajectory = recorder.trajectory_


def file(name):
    path = f"{{folder}}/{{name}}"
    with open(path, "wb") as stream:
        stream.write(b"")
    return path


def of_keras():
    return type("Sequential", (), {{"__module__": "keras.src.models.sequential"}})()


def page(package):
    # The page asks for its packages in turn.
    from ei_fast.demo import page

    absent.intersection_update({{package}})
    try:
        page(f"{{folder}}/page", {{"run": trajectory}})
    finally:
        absent.update(EXTRAS)


def batch():
    from ei_fast.cluster import plan, run

    np.savez(f"{{folder}}/step_1.npz", w0=np.eye(2))
    plan(f"{{folder}}/step_*.npz", f"{{folder}}/batch", 1, estimator)
    run(f"{{folder}}/batch", dask_scheduler="tcp://localhost:1")


def callback(framework):
    __import__(f"ei_fast.callbacks.{{framework}}")


CALLS = {{
    "safetensors": lambda: ef.as_network(file("net.safetensors")),
    "torch": lambda: ef.as_network(file("net.pt")),
    "h5": lambda: ef.as_network(file("net.h5")),
    "keras file": lambda: ef.as_network(f"{{folder}}/net.keras"),
    "keras model": lambda: ef.as_network(of_keras()),
    "onnx": lambda: ef.as_network(file("net.onnx")),
    "flax": lambda: ef.as_network((lambda params, x: x, {{}}), input_shape=(2,)),
    "report": report.to_frame,
    "trajectory": trajectory.to_frame,
    "sweep": lambda: ef.bin_sweep([np.eye(2)]),
    "mp4": lambda: ef.animate_causal_plane(trajectory, f"{{folder}}/plane.mp4"),
    "html": lambda: ef.animate_causal_plane(trajectory, f"{{folder}}/plane.html"),
    "page, bokeh": lambda: page("bokeh"),
    "page, jinja2": lambda: page("jinja2"),
    "page, pandas": lambda: page("pandas"),
    "batch": batch,
    "callback of keras": lambda: callback("keras"),
    "callback of lightning": lambda: callback("lightning"),
    "callback of skorch": lambda: callback("skorch"),
    "callback of transformers": lambda: callback("transformers"),
}}
said = {{}}
for name, call in CALLS.items():
    try:
        call()
    except Exception as error:
        said[name] = [type(error).__name__, isinstance(error, ImportError), str(error)]
ei = report[0].ei
print(json.dumps({{"said": said, "ei": ei, "imported": sorted(EXTRAS & set(sys.modules))}}))
"""

BROUGHT = {
    "safetensors": ("safetensors",),
    "torch": ("torch",),
    "keras": ("keras", "h5py"),
    "onnx": ("onnx", "onnxruntime"),
    "flax": ("flax", "jax"),
    "lightning": ("lightning",),
    "skorch": ("skorch", "torch"),
    "transformers": ("transformers", "torch", "accelerate"),
    "pandas": ("pandas",),
    "video": ("imageio_ffmpeg",),
    "html": ("bokeh",),
    "page": ("bokeh", "jinja2", "pandas"),
    "cluster": ("distributed",),
}
"""Modules that each extra brings."""

MESSAGES = {
    "safetensors": ("The file '.*net.safetensors'", "safetensors", "safetensors"),
    "torch": ("The file '.*net.pt'", "PyTorch", "torch"),
    "h5": ("The file '.*net.h5'", "h5py", "keras"),
    "keras file": ("The file '.*net.keras'", "Keras 3", "keras"),
    "keras model": ("A Keras model", "Keras 3", "keras"),
    "onnx": ("An ONNX model", "onnx and onnxruntime", "onnx"),
    "flax": ("A Flax model", "JAX and Flax", "flax"),
    "report": ("Report.to_frame", "pandas", "pandas"),
    "trajectory": ("Trajectory.to_frame", "pandas", "pandas"),
    "sweep": ("ei_fast.bin_sweep", "pandas", "pandas"),
    "mp4": ("animate_causal_plane to .mp4", "ffmpeg", "video"),
    "html": ("animate_causal_plane to .html", "bokeh", "html"),
    "page, bokeh": ("A page", "bokeh", "page"),
    "page, jinja2": ("A page", "jinja2", "page"),
    "page, pandas": ("A page", "pandas", "page"),
    "batch": ("A Dask cluster", "dask.distributed", "cluster"),
    "callback of keras": ("ei_fast.callbacks.keras", "Keras 3", "keras"),
    "callback of lightning": ("ei_fast.callbacks.lightning", "Lightning", "lightning"),
    "callback of skorch": ("ei_fast.callbacks.skorch", "skorch", "skorch"),
    "callback of transformers": ("ei_fast.callbacks.transformers", "transformers", "transformers"),
}
"""What is wanted, what it needs, and the extra that is named, by the name of the call in the program."""


@pytest.fixture(scope="module")
def without(tmp_path_factory):
    extras = sorted({module for modules in BROUGHT.values() for module in modules})
    program = PROGRAM.format(extras=extras)
    folder = tmp_path_factory.mktemp("without")
    # What is no model of Keras is refused before Keras is asked for.
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(folder / "net.keras")
    done = subprocess.run([sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_arrays_are_measured_and_recorded_without_any_of_them(without):
    assert without["ei"] == 4.0
    assert without["imported"] == []


@pytest.mark.parametrize("call", MESSAGES)
def test_what_needs_a_package_says_which_and_the_extra_that_brings_it(call, without):
    wanted, package, extra = MESSAGES[call]
    kind, is_import_error, message = without["said"][call]
    assert (kind, is_import_error) == ("MissingExtra", True)
    assert re.fullmatch(rf'{wanted} needs {package}: pip install "ei_fast\[{extra}\]"\.', message), message


def test_every_extra_that_is_named_brings_what_is_needed():
    assert {extra for _, _, extra in MESSAGES.values()} == set(BROUGHT)
    for extra, modules in BROUGHT.items():
        of_extra = [one for one in requires("ei_fast") if f'extra == "{extra}"' in one.replace("'", '"')]
        brought = {re.match(r"[\w-]+", one)[0].replace("-", "_") for one in of_extra}
        assert brought.issuperset(modules), extra


def test_one_sentence_says_that_a_package_is_missing():
    """Beside what is said of a package that is there, but too old."""
    keys = [key for key in remedies.messages() if 'pip install "ei_fast[' in key]
    others = [key for key in keys if "before 2.10" not in key]
    assert others == ['{} needs {}: pip install "ei_fast[{}]".']
