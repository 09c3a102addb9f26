"""Ticks, ends of axes, and points where they belong."""

import re

import numpy as np
import pytest

from ei_fast.figures.colours import layer_colours
from ei_fast.shown.colours import colours_of
from ei_fast.shown.drawing import Axes, map_of, scale_of, spread, ticks
from ei_fast.shown.tags import Html, tag, text, together


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3, 17), (1e-9, 3e-9), (1e6, 5e6), (-0.1, 0.1), (2.2, 2.3), (0, 7)])
def test_ticks_are_few_round_and_inside(low, high):
    found = ticks(low, high)
    assert 2 <= len(found) <= 6
    assert all(low <= tick <= high for tick in found)
    steps = np.diff(found)
    assert np.allclose(steps, steps[0])
    assert float(f"{steps[0]:.1g}") == pytest.approx(steps[0])


@pytest.mark.parametrize(("low", "high"), [(1.0, 1.0), (np.nan, 1.0), (np.nan, np.nan), (-1.7e308, 1.7e308)])
def test_ticks_of_no_axis(low, high):
    assert ticks(low, high) in ([], [low])


def test_ends_leave_room_and_know_no_nan():
    low, high = spread([1.0, np.nan, 3.0], 0.0)
    assert low < 0.0
    assert high > 3.0
    assert spread([2.0]) == (1.5, 2.5)
    assert spread([]) == (-0.04, 1.04)


def test_points_are_where_they_belong():
    axes = Axes((0.0, 10.0), (0.0, 5.0), "", "", "")
    left, bottom = axes.at(0.0, 0.0)
    right, top = axes.at(10.0, 5.0)
    assert left < right
    assert top < bottom
    assert axes.at(5.0, 2.5) == (round((left + right) / 2, 1), round((top + bottom) / 2, 1))


def test_a_line_has_gaps_where_there_is_nothing():
    axes = Axes((0.0, 3.0), (0.0, 1.0), "", "", "")
    axes.line([0, 1, 2, 3], [0.0, np.nan, 1.0, 1.0])
    path = re.search(r' d="([^"]+)"', axes.drawn[0])[1]
    assert path.count("M") == 2
    assert path.count("L") == 1
    axes.line([0.0], [np.nan])
    axes.mark(np.nan, 1.0)
    axes.line([], [])
    assert len(axes.drawn) == 1


def test_a_scale_and_a_map_of_nothing_are_none():
    assert scale_of(np.nan, (0.0, 1.0), (0.0, 1.0), ceiling=3.0) is None
    assert map_of([[np.nan]], "", "", "") is None
    assert "<rect" in map_of([[0.0]], "", "", "")
    assert "nan" not in scale_of(1.0, (0.5, 1.5), (np.nan, np.nan), ceiling=np.nan)


def test_colours_are_those_of_the_pictures_where_layers_are_few():
    for n in range(1, 7):
        assert colours_of(n) == layer_colours(n)
    many = colours_of(40)
    assert len(set(many)) == 40
    assert all(re.fullmatch("#[0-9a-f]{6}", colour) for colour in many)


def test_what_is_no_html_is_escaped_once():
    assert tag("p", "<b>", tag("b", "&")) == "<p>&lt;b&gt;<b>&amp;</b></p>"
    assert tag("p", class_="a b", data_x='"<', left_out=None) == '<p class="a b" data-x="&quot;&lt;"></p>'
    assert text(Html("<i></i>")) == "<i></i>"
    assert text(1.5) == "1.5"
    assert together("<", Html("<hr>")) == "&lt;<hr>"
