"""The remedy where a package is missing, followed: the extra that is named brings the package."""

import sys
from importlib.metadata import requires

import keras
import numpy as np
import onnx

import ei_fast as ef
from ei_fast.cluster import plan, run
from ei_fast.demo import page, pages
from followed import follows

QUICK = {"random_state": 0, "tol": 0.5}


def installs(message, *packages):
    """Whether the extra that a message names brings these packages."""
    extra = message.split('pip install "ei_fast[')[1].split("]")[0]
    brought = [one for one in requires("ei_fast") if f'extra == "{extra}"' in one.replace("'", '"')]
    assert all(any(one.startswith(package) for one in brought) for package in packages), (extra, brought)


def _recorded():
    recorder = ef.Recorder(ef.EffectiveInformation(**QUICK))
    recorder.record([np.eye(2)], loss=1.0)
    return recorder.trajectory_


def _file(said, name):
    (said.folder / name).write_bytes(b"")
    return said.folder / name


@follows('{} needs {}: pip install "ei_fast[{}]".')
def _(said):
    """Of each extra one; tests/test_without_extras.py asks for every one where none is there."""
    keras_model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    keras_model.save(said.folder / "net.keras")
    recorded = _recorded()
    np.savez(said.folder / "step_1.npz", w0=np.eye(2))
    plan(said.folder / "step_*.npz", said.folder / "ei", 1, ef.EffectiveInformation(**QUICK))
    with said.monkeypatch.context() as patched:
        patched.setattr("ei_fast.adapters.table.import_module", _not_installed)
        installs(said.refused(ef.as_network, onnx.ModelProto()), "onnx", "onnxruntime")
        installs(said.refused(ef.as_network, keras_model), "keras")
        installs(said.refused(ef.as_network, (_not_installed, {}), input_shape=(2,)), "flax", "jax")
    with said.monkeypatch.context() as patched:
        for name in ("safetensors", "torch", "h5py", "pandas", "bokeh", "bokeh.server", "imageio_ffmpeg"):
            patched.setitem(sys.modules, name, None)
        patched.setitem(sys.modules, "distributed", None)
        installs(said.refused(ef.as_network, _file(said, "net.safetensors")), "safetensors")
        installs(said.refused(ef.as_network, _file(said, "net.pt")), "torch")
        installs(said.refused(ef.as_network, _file(said, "net.h5")), "h5py", "keras")
        installs(said.refused(recorded.to_frame), "pandas")
        installs(said.refused(ef.animate_causal_plane, recorded, said.folder / "plane.html"), "bokeh")
        installs(said.refused(ef.animate_causal_plane, recorded, said.folder / "plane.mp4"), "imageio-ffmpeg")
        installs(said.refused(run, said.folder / "ei", dask_scheduler="tcp://localhost:1"), "distributed")
    with said.monkeypatch.context() as patched:
        patched.setattr(pages, "find_spec", lambda name: None)
        message = said.refused(page, said.folder / "page", {"run": recorded})
        installs(message, message.split("A page needs ")[1].split(":")[0])
        patched.setattr("importlib.util.find_spec", lambda name: None)
        installs(said.refused(ef.as_network, said.folder / "net.keras"), "keras", "h5py")


def _not_installed(name):
    raise ModuleNotFoundError(name)
