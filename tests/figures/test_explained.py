"""Pictures that explain say what is true, and can be read."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from ei_fast.figures.explained import DEFINITIONS, plot_definition, plot_explained_plane
from ei_fast.measures.quantities import QUANTITIES

STYLES = ["default", "dark_background"]


def _texts(figure):
    return [text for ax in figure.axes for text in ax.texts if text.get_text().strip()]


@pytest.mark.parametrize("style", STYLES)
def test_the_plane_shows_where_measures_are_read_off(style):
    with plt.style.context(style):
        figure = plot_explained_plane()
    figure.draw_without_rendering()
    (ax,) = figure.axes
    assert ax.get_aspect() == 1.0
    (point,) = [line for line in ax.lines if line.get_markersize() == 8.0]
    x, y = point.get_xdata()[0], point.get_ydata()[0]
    sensitivity, degeneracy = (x + y) / np.sqrt(2), (y - x) / np.sqrt(2)
    lengths = [np.hypot(np.ptp(line.get_xdata()), np.ptp(line.get_ydata())) for line in ax.lines if line.get_alpha()]
    assert lengths == pytest.approx([sensitivity, degeneracy, (sensitivity - degeneracy) / np.sqrt(2)])
    said = " ".join(text.get_text() for text in _texts(figure))
    assert f"sensitivity\n{sensitivity:g} bits" in said
    assert f"degeneracy\n{degeneracy:g} bits" in said
    assert f"EI = {sensitivity - degeneracy:g} bits" in said
    assert "EI nullcline" in said
    assert "EI unchanged" in said


def test_perpendiculars_are_perpendicular():
    (ax,) = plot_explained_plane().axes
    drops = [np.array(line.get_data()).T for line in ax.lines if line.get_linestyle() == ":"]
    assert len(drops) == 3
    for begin, end in drops:
        # The axes and the nullcline all lead through the origin, but for the horizontal drop, whose line is x = 0.
        along = end if begin[1] != end[1] else np.array([0.0, 1.0])
        assert np.dot(end - begin, along) == pytest.approx(0.0, abs=1e-12)


def test_every_measure_has_a_picture():
    assert list(DEFINITIONS) == ["ei", "sensitivity", "degeneracy", "ei_parts", "phi_ff"]
    assert {quantity.name: quantity.symbol for quantity in QUANTITIES} == {
        name: what.title for name, what in DEFINITIONS.items()
    }
    with pytest.raises(ValueError, match="'name' parameter of plot_definition must be one of 'ei', .* Got 'φ' instead"):
        plot_definition("φ")


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", list(DEFINITIONS))
def test_definitions_can_be_read_at_260_pixels(name, style):
    with plt.style.context(style):
        figure = plot_definition(name)
        behind = plt.rcParams["axes.facecolor"]
    figure.set_dpi(260 / figure.get_figwidth())
    figure.draw_without_rendering()
    width, height = figure.get_size_inches() * figure.dpi
    boxes = []
    for text in [*_texts(figure), figure.axes[0].title]:
        box = text.get_window_extent()
        assert box.x0 >= -1
        assert box.y0 >= -1
        assert box.x1 <= width + 1, text
        assert box.y1 <= height + 1
        assert text.get_fontsize() * figure.dpi / 72 >= 10
        if text.get_text():
            boxes.append(box)
            assert abs(np.subtract(to_rgba(text.get_color())[:3], to_rgba(behind)[:3])).max() >= 0.4
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))


def test_bars_are_differences():
    for name in ("degeneracy", "phi_ff"):
        (_, most), (_, less), (last, rest) = DEFINITIONS[name].bars
        assert rest == most - less
        assert last == name
        (ax,) = plot_definition(name).axes
        ends = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in ax.patches]
        assert ends == [(0, most), (rest, most), (0, rest)]


def test_pictures_go_into_axes_of_ones_own():
    figure = Figure(figsize=(9, 3), layout="constrained")
    axes = figure.subplots(1, 3)
    assert plot_explained_plane(axes[0]) is figure
    assert plot_definition("ei", axes[1]) is figure
    assert not plt.get_fignums()
