"""The figures of the page as models of Bokeh: axes, guides and glyphs without data, which the page fills."""

from typing import Any

import numpy as np
from bokeh.core.property.vectorization import Field
from bokeh.embed import json_item
from bokeh.models import ColumnDataSource, FixedTicker, GlyphRenderer, Label, MultiLine, Scatter, Segment, Slope, Span
from bokeh.plotting import figure

_POINT, _STEP = 11, 4

Item = dict[str, Any]


def plane_item() -> Item:
    """The causal plane: sources `bars`, `ways`, `past` and `points`, from the back to the front."""
    plot = _empty("linear")
    plot.add_layout(Span(location=0.0, dimension="height", line_dash="dashed", line_width=1.2, name="nullcline"))
    plot.add_layout(Slope(gradient=1.0, y_intercept=0.0, line_dash="dotted", line_width=1.2, name="diagonal"))
    for name, text, more in (
        ("nullcline_label", "EI = 0", {"y_units": "screen", "angle": np.pi / 2, "text_align": "right", "x_offset": -3}),
        ("diagonal_label", "degeneracy = 0", {"text_baseline": "top", "x_offset": 6}),
    ):
        # The page says where there is room for it.
        plot.add_layout(Label(x=0.0, y=0.0, text=text, name=name, visible=False, text_font_size="11px", **more))
    segment = Segment(x0="x0", y0="y0", x1="x1", y1="y1", line_cap="round")
    segment.update(line_color="colour", line_alpha="alpha", line_width="width")
    _add(plot, "bars", segment)
    _add(plot, "ways", _lines())
    past = Scatter(x="x", y="y", size=_STEP, marker="marker", line_color=None)
    past.update(fill_color="colour", fill_alpha="alpha")
    _add(plot, "past", past)
    _add(plot, "points", _points())
    item: Item = json_item(plot)
    return item


def losses_item(logarithmic: bool) -> Item:
    """The curves beside it: sources `curves` and `markers`, and a line at the step that is shown."""
    plot = _empty("log" if logarithmic else "linear")
    plot.xaxis.axis_label = "training step"
    if logarithmic:
        plot.yaxis.ticker = FixedTicker(ticks=[])
    _add(plot, "curves", _lines())
    # What moves lies above the curves, which so need not be drawn again at every step.
    plot.add_layout(Span(location=0.0, dimension="height", level="overlay", name="now"))
    _add(plot, "markers", _points(), level="overlay")
    item: Item = json_item(plot)
    return item


def _empty(scale: str) -> Any:
    """A figure that fills its place, through which a finger can scroll the page."""
    plot = figure(
        sizing_mode="stretch_both",
        x_range=(0.0, 1.0),
        # Above 0, as a logarithmic axis has it, until the page knows better.
        y_range=(0.1, 1.0),
        y_axis_type=scale,
        tools="pan,box_zoom",
        active_drag=None,
        toolbar_location="above",
        background_fill_color=None,
        border_fill_color=None,
        outline_line_color=None,
        min_border_right=12,
        output_backend="canvas",
    )
    plot.toolbar.logo = None
    plot.toolbar.autohide = True
    # As wide as its buttons alone it would keep the last one in a menu.
    plot.toolbar.styles = {"min_width": "90px"}
    plot.axis.minor_tick_line_color = None
    plot.axis.axis_label_text_font_style = "normal"
    plot.axis.axis_label_text_font_size = "12px"
    return plot


def _add(plot: Any, name: str, glyph: Any, level: str = "glyph") -> None:
    """A glyph with a source of its name, in which every field of the glyph is an empty column."""
    properties = glyph.properties_with_values(include_defaults=False).values()
    columns = sorted({value.field for value in properties if isinstance(value, Field)})
    source = ColumnDataSource({column: [] for column in columns}, name=name)
    plot.renderers.append(GlyphRenderer(data_source=source, glyph=glyph, level=level))


def _lines() -> MultiLine:
    lines = MultiLine(xs="xs", ys="ys", line_join="round")
    lines.update(line_color="colour", line_dash="dash", line_alpha="alpha", line_width="width")
    return lines


def _points() -> Scatter:
    points = Scatter(x="x", y="y", size=_POINT, marker="marker", line_width=1.0)
    points.update(fill_color="colour", line_color="outline")
    return points
