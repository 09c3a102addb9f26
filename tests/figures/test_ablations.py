"""Pictures of who carries what, and of what is left."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

import ei_fast as ef

WEIGHT = np.random.default_rng(0).normal(0, 2, (5, 3))


@pytest.fixture(autouse=True)
def no_windows():
    plt.switch_backend("agg")
    yield
    plt.close("all")


@pytest.mark.parametrize("what", ["inputs", "outputs"])
def test_neurons_have_a_dot_and_ei_an_interval(what):
    found = ef.ablation(WEIGHT, what, random_state=0)
    for measure in ("ei", "sensitivity", "ei_parts"):
        figure = ef.plot_ablation(found, measure)
        figure.canvas.draw()
        (ax,) = figure.axes
        assert ax.lines[-1].get_ydata().tolist() == getattr(found, f"{measure}_change").tolist()
        assert len(ax.collections) == (measure == "ei")
    segments = ef.plot_ablation(found).axes[0].collections[0].get_segments()
    assert [one[:, 1].tolist() for one in segments] == [
        [low, high] for low, high in zip(found.ei_change_low, found.ei_change_high, strict=True)
    ]


def test_edges_are_a_map_centred_at_0():
    found = ef.ablation(WEIGHT, "edges", random_state=0)
    figure = ef.plot_ablation(found, ax=Figure().subplots())
    figure.canvas.draw()
    (image,) = figure.axes[0].images
    assert (image.get_array() == found.ei_change).all()
    assert image.norm.vmin == -image.norm.vmax


def test_curves_have_a_line_an_order_and_a_panel_for_the_loss():
    options = {"shares": (0, 0.5, 1.0), "n_random": 2, "random_state": 0, "tol": 0.1}
    curve = ef.ablation_curve(WEIGHT, "inputs", loss=lambda mask: mask.mean(), **options)
    figure = ef.plot_ablation_curve(curve)
    figure.canvas.draw()
    ei, loss = [ax for ax in figure.axes if ax.axison]
    # Of random orders each, and their mean.
    assert len(ei.lines) == len(loss.lines) == 2 + 3
    assert ei.lines[0].get_ydata().tolist() == curve.of("ei", "ei")[0].tolist()
    assert ei.lines[-1].get_ydata().tolist() == curve.of("random", "ei").mean(axis=0).tolist()
    assert loss.lines[0].get_ydata().tolist() == curve.of("ei", "loss")[0].tolist()
    alone = ef.plot_ablation_curve(ef.ablation_curve(WEIGHT, "inputs", **options), Figure().subplots())
    assert len(alone.axes) == 1


def test_other_things_are_refused():
    found = ef.ablation(WEIGHT, random_state=0)
    with pytest.raises(TypeError, match="must be an Ablation. Got ndarray"):
        ef.plot_ablation(WEIGHT)
    with pytest.raises(TypeError, match="must be an AblationCurve. Got Ablation"):
        ef.plot_ablation_curve(found)
    with pytest.raises(ValueError, match="The 'measure' parameter of plot_ablation"):
        ef.plot_ablation(found, "phi_ff")
    with pytest.raises(TypeError, match="The 'ax' parameter of plot_ablation must be"):
        ef.plot_ablation(found, ax=Figure())
