"""Measures over time and losses show the trajectory."""

import numpy as np
import pytest
from drawn import panels_of, partly_bracketed, short_trajectory, shown_ticks
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

import ei_fast as ef
from ei_fast.figures.known import limits_of
from ei_fast.figures.measures import plot_metrics
from ei_fast.figures.ticks import log_ticks, tick_text
from ei_fast.training.losses import turning_point


def test_measures_over_time_show_the_trajectory():
    trajectory = short_trajectory()
    panels = panels_of(ef.plot_measures(trajectory))
    assert set(panels) == {"EI", "sensitivity", "degeneracy", "EI_parts", "φ", "loss", "accuracy"}
    for title, name in (
        ("EI", "ei"),
        ("sensitivity", "sensitivity"),
        ("degeneracy", "degeneracy"),
        ("EI_parts", "ei_parts"),
        ("φ", "phi_ff"),
    ):
        lines = [line for line in panels[title].lines if len(line.get_xdata()) == len(trajectory)]
        assert len(lines) == 3
        for k, line in enumerate(lines):
            np.testing.assert_array_equal(line.get_xdata(), trajectory.steps)
            np.testing.assert_array_equal(line.get_ydata(), getattr(trajectory, name)[:, k])
    for k, name in enumerate(("loss", "val_loss")):
        np.testing.assert_array_equal(panels["loss"].lines[k].get_ydata(), trajectory.metrics[name])
    np.testing.assert_array_equal(panels["accuracy"].lines[0].get_ydata(), trajectory.metrics["accuracy"])


def texts_of(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_the_least_validation_loss_is_marked_in_every_panel():
    trajectory = short_trajectory()
    trajectory.metrics["val_loss"][:] = [9, 5, 4, np.nan, 3, 6, 7]
    panels = panels_of(ef.plot_measures(trajectory))
    for panel in panels.values():
        assert sum(list(line.get_xdata()) == [40, 40] for line in panel.lines) == 1
    mark = next(line for line in panels["loss"].lines if line.get_label() == "least at step 40")
    assert [*mark.get_xdata(), *mark.get_ydata()] == [40, 3]
    assert "least at step 40" in texts_of(panels["loss"])


@pytest.mark.parametrize(
    "losses", [[9, 8, 7, 6, 5, 4, 3], [1, 2, 3, 4, 5, 6, 7], [5, 3, 3, 4, 3, 3, 3], [np.nan, 2, 3, 4, 4, 4, 4]]
)
def test_where_no_minimum_is_inside_that_is_said(losses):
    trajectory = short_trajectory()
    trajectory.metrics["val_loss"][:] = losses
    panels = panels_of(ef.plot_measures(trajectory))
    assert "val loss: no minimum inside" in texts_of(panels["loss"])
    assert not any(len(line.get_xdata()) == 2 for panel in panels.values() for line in panel.lines)


def test_measures_over_time_without_metrics():
    panels = panels_of(ef.plot_measures(short_trajectory(metrics=False)))
    assert set(panels) == {"EI", "sensitivity", "degeneracy", "EI_parts", "φ"}


@pytest.mark.parametrize("recorded", [(), ("loss",), ("accuracy",), ("loss", "accuracy")], ids=", ".join)
def test_no_place_among_the_measures_is_empty(recorded):
    trajectory = short_trajectory()
    trajectory.metrics = {name: trajectory.metrics[name] for name in recorded}
    (whole, *panels, key) = ef.plot_measures(trajectory).axes
    assert all(panel.axison for panel in panels)
    assert [text.get_text() for text in key.get_legend().get_texts()] == ["fc0", "fc1", "fc2"]
    # Below the key there is nothing, nor beside it where it has a row of its own.
    assert not key.axison
    assert not whole.axison
    assert key.get_subplotspec().is_last_row()
    n_columns = 1 if len(panels) % 2 else 2
    assert len(key.get_subplotspec().colspan) == n_columns


def test_every_measure_has_the_band_of_its_error():
    trajectory, _ = partly_bracketed()
    below, above = {}, {}
    for name in ("ei", "sensitivity", "degeneracy", "ei_parts", "phi_ff"):
        low, high = limits_of(trajectory, name)
        values = getattr(trajectory, name)
        below[name], above[name] = (values - low)[0, 0], (high - values)[0, 0]
    z = 1.959964
    assert below == pytest.approx(
        {
            "ei": 0.3,
            "sensitivity": z * 0.25,
            "degeneracy": np.hypot(0.36, z * 0.25),
            "ei_parts": z * 0.5,
            "phi_ff": np.hypot(0.3, z * 0.5),
        },
        rel=1e-6,
    )
    assert above["phi_ff"] == pytest.approx(np.hypot(0.36, z * 0.5), rel=1e-6)
    panels = panels_of(ef.plot_measures(trajectory))
    assert all(
        any(isinstance(artist, PolyCollection) for artist in panels[title].collections)
        for title in ("EI", "sensitivity", "degeneracy", "EI_parts", "φ")
    )


@pytest.mark.parametrize("convention", ["each", "first", "all"])
def test_the_convention_of_the_ranges_stands_on_every_picture(convention):
    trajectory, _ = partly_bracketed(convention)
    said = {"each": "each record", "first": "the first record", "all": "all records together"}[convention]
    plane = ef.CausalPlaneDisplay.from_trajectory(trajectory).plot(Figure().subplots()).ax_
    figure = ef.plot_measures(trajectory)
    titles = [ax.get_legend().get_title().get_text() for ax in (plane, *figure.axes) if ax.get_legend()]
    assert sum(f"ranges: those of {said}" in title for title in titles) == 2


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.2, 2.5, ["0.2", "0.5", "1", "2"]),
        (0.05, 3, ["0.1", "0.3", "1", "3"]),
        (1e-7, 3e-7, ["10⁻⁷", "2×10⁻⁷", "3×10⁻⁷"]),
        (0.21, 0.29, ["0.22", "0.24", "0.26", "0.28"]),
        (1e-9, 1, ["10⁻⁹", "10⁻⁷", "10⁻⁵", "0.001", "0.1"]),
    ],
)
def test_ticks_of_powers_of_ten_are_numbers(low, high, expected):
    assert [tick_text(tick) for tick in log_ticks(low, high)] == expected


@pytest.mark.parametrize("span", np.geomspace(11, 1e30, 12))
@pytest.mark.parametrize("least", [1.7e-9, 0.013, 4.0])
def test_losses_of_any_span_have_ticks_that_can_be_read(least, span):
    figure = Figure(figsize=(3, 1.7), layout="constrained")
    ax = figure.subplots()
    plot_metrics(np.arange(50), {"loss": np.geomspace(least, least * span, 50)}, ax)
    figure.draw_without_rendering()
    assert ax.get_yscale() == "log"
    shown = list(shown_ticks(ax))
    values = [tick.get_text() for tick in shown if tick in [one.label1 for one in ax.yaxis.get_major_ticks()]]
    assert 2 <= len(values) <= 5
    assert not any(tick.label1.get_text() for tick in ax.yaxis.get_minor_ticks())


def test_the_least_of_a_noisy_loss_is_no_turn():
    """Of 300 records of a loss that falls, or stands, with noise: in the old way nearly each had its mark."""
    rng = np.random.default_rng(0)
    x = np.linspace(0, 1, 300)
    for level in (0 * x, 20 * np.exp(-6 * x), -5 * x):
        found = sum(turning_point(level + rng.normal(size=300)) is not None for _ in range(400))
        # Four in 400 by chance, and at most ten in all but a hundredth of all such tests.
        assert found <= 10
    turns = [turning_point(40 * (x - 0.4) ** 2 + rng.normal(size=300)) for _ in range(100)]
    assert all(turn is not None and 60 < turn < 180 for turn in turns)


def test_a_noisy_loss_that_ends_near_its_least_is_not_marked():
    trajectory = short_trajectory(300)
    noise = np.random.default_rng(3).normal(size=300)
    noise[290] = -4.0 if noise.min() > -4.0 else noise.min() - 0.1
    trajectory.metrics["val_loss"][:] = 1 + np.exp(-np.arange(300) / 60) + 0.02 * noise
    trajectory.metrics["val_loss"][290] = trajectory.metrics["val_loss"].min() - 0.001
    panels = panels_of(ef.plot_measures(trajectory))
    assert not any("least at step" in text for text in texts_of(panels["loss"]))
