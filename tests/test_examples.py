"""Every example runs as it stands, is short, and leaves a picture."""

import runpy
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from PIL import Image

import ei_fast as ef

EXAMPLES = Path(__file__).parents[1] / "examples"

LEAVES = {
    "numpy_loop": ["numpy_loop.png"],
    "digits": ["digits.png", "digits_measures.png"],
    "ablation": ["ablation.png", "ablation_curve.png"],
    "chance": ["chance.png", "chance_trainings.png"],
    "pytorch_loop": ["pytorch_loop.png"],
    "keras_fit": ["keras_fit.gif"],
    "flax_loop": ["flax_loop.png"],
    "lightning_trainer": ["lightning_trainer.html"],
    "information_profile": ["information_profile.png"],
    "inputs": ["inputs.png"],
    "sklearn_partial_fit": ["sklearn_partial_fit.png", "sklearn_edges.png", "sklearn_bins.png"],
}

NO_TRAINING = {"information_profile", "inputs"}
"""What is watched there is no training."""

# It takes minutes: thirty records of layers that are annealed.
MARKS = {"digits": pytest.mark.endurance}


def test_all_of_them_are_run():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(LEAVES)


@pytest.mark.filterwarnings("ignore:.*does not have many workers")
@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")
@pytest.mark.parametrize("name", [pytest.param(name, marks=MARKS.get(name, pytest.mark.slow)) for name in LEAVES])
def test_an_example(name, tmp_path, monkeypatch):
    source = EXAMPLES / f"{name}.py"
    assert len(source.read_text(encoding="utf-8").splitlines()) < 40
    monkeypatch.chdir(tmp_path)
    variables = runpy.run_path(str(source))
    if name not in NO_TRAINING:
        recorder = variables["recorder"] if "recorder" in variables else variables["callback"].recorder
        assert len(recorder.trajectory_) > 10
        loss = recorder.trajectory_.metrics["loss"]
        assert loss[-1] < loss[0]
    for left in LEAVES[name]:
        path = tmp_path / left
        if path.suffix == ".html":
            assert "Bokeh.embed.embed_item" in path.read_text(encoding="utf-8")
        else:
            with Image.open(path) as image:
                image.load()
                assert min(image.size) >= 400
                assert getattr(image, "n_frames", 1) == (len(recorder.trajectory_) if path.suffix == ".gif" else 1)
    if (tmp_path / f"{name}.npz").exists():
        assert len(ef.Trajectory.load(tmp_path / f"{name}.npz")) == len(recorder.trajectory_)
    plt.close("all")
