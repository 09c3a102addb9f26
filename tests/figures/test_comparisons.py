"""Pictures of differences, and of networks beside chance."""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from trajectories import trajectory_of

import ei_fast as ef
from ei_fast.results.flags import Flag

WEIGHTS = [np.random.default_rng(0).normal(0, 2, shape) for shape in ((5, 4), (4, 3))]


@pytest.fixture(autouse=True)
def no_windows():
    plt.switch_backend("agg")
    yield
    plt.close("all")


def _drawn(figure):
    figure.canvas.draw()
    return figure.axes[0]


def test_each_layer_has_a_dot_at_its_difference_and_a_line_for_its_interval():
    a, b = ef.analyze(WEIGHTS, random_state=0), ef.analyze([2 * weight for weight in WEIGHTS], random_state=1)
    comparison = ef.compare(a, b)
    for measure in ("ei", "sensitivity", "degeneracy", "ei_parts", "phi_ff"):
        ax = _drawn(ef.plot_comparison(comparison, measure))
        found = [getattr(layer, measure) for layer in comparison]
        assert ax.lines[-1].get_xdata().tolist() == [one.difference for one in found]
        ends = [segment[:, 0].tolist() for lines in ax.collections for segment in lines.get_segments()]
        assert ends == [[one.low, one.high] for one in found]
        assert [label.get_text() for label in ax.get_yticklabels()] == ["layer0", "layer1"]


def test_a_bracket_has_a_bar_and_no_dot():
    a = ef.analyze(WEIGHTS, random_state=0)
    bracket = replace(a[0], flags=(Flag.UNDERSAMPLED,), ei_interval=(1.0, 9.0))
    comparison = ef.compare(a, ef.Report([bracket, a[1]], [], {}))
    ax = _drawn(ef.plot_comparison(comparison, ax=Figure().subplots()))
    assert len(ax.lines[-1].get_xdata()) == 1
    assert [lines.get_linewidth()[0] for lines in ax.collections] == [4.0, 1.6]


def test_trainings_are_drawn_over_the_steps():
    a, b = (trajectory_of(3, 20, bounds=True, seed=seed) for seed in (0, 1))
    comparison = a.compare(b)
    ax = _drawn(ef.plot_comparison(comparison, ax=Figure().subplots()))
    lines = [line for line in ax.lines if len(line.get_xdata()) == 20]
    assert len(lines) == 3
    assert lines[0].get_ydata().tolist() == comparison.ei.difference[:, 0].tolist()
    assert np.isnan(lines[1].get_ydata()).sum() == 13


def test_what_was_measured_stands_beside_what_chance_makes():
    null = ef.null_report(WEIGHTS, n=6, tol=0.1, random_state=0)
    ax = _drawn(ef.plot_null(null, "sensitivity"))
    drawn = [line.get_xdata() for line in ax.lines]
    for k, layer in enumerate(null):
        assert drawn[3 * k].tolist() == layer.sensitivity.draws.tolist()
        assert drawn[3 * k + 2].tolist() == [layer.sensitivity.value]
    assert [text.get_text()[:4] for text in ax.texts] == ["z = ", "z = "]


def test_other_things_and_measures_are_refused():
    report = ef.analyze(WEIGHTS, random_state=0)
    comparison, null = ef.compare(report, report), ef.null_report(WEIGHTS, n=2, tol=0.5, random_state=0)
    with pytest.raises(TypeError, match="The 'comparison' parameter of plot_comparison must be"):
        ef.plot_comparison(report)
    with pytest.raises(TypeError, match="The 'null' parameter of plot_null must be a NullReport"):
        ef.plot_null(comparison)
    for call, what in ((ef.plot_comparison, comparison), (ef.plot_null, null)):
        with pytest.raises(ValueError, match="The 'measure' parameter of"):
            call(what, "EI")
        with pytest.raises(TypeError, match="The 'ax' parameter of"):
            call(what, ax=Figure())
