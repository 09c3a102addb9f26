"""Small pictures as SVG: axes, lines and marks, in the colour of the text around them. No matplotlib is needed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import floor, isfinite, log10
from typing import Any

from ei_fast.shown.tags import Html, tag, together

_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 20, 34
_MOST_TICKS = 5
MOST_POINTS = 300
"""Of a line; more are closer together than pixels."""


def svg_of(parts: Iterable[Html], width: int, height: int, said: str) -> Html:
    """A picture of so many pixels, with what is said of it to whoever does not see it."""
    box = {"viewBox": f"0 0 {width} {height}", "width": width, "height": height}
    return tag("svg", *parts, xmlns="http://www.w3.org/2000/svg", role="img", aria_label=said, **box)


def ticks(low: float, high: float) -> list[float]:
    """A few round numbers between two others."""
    if not (low < high and isfinite(high - low)):
        return [low] if isfinite(low) else []
    step = 10.0 ** floor(log10((high - low) / _MOST_TICKS))
    step *= next((k for k in (1, 2, 5, 10) if (high - low) / (k * step) <= _MOST_TICKS), 10)
    first = round(low / step)
    inside = (float(f"{k * step:.12g}") for k in range(first - 1, first + _MOST_TICKS + 3))
    return [tick for tick in inside if low <= tick <= high]


def spread(values: Iterable[float], *also: float) -> tuple[float, float]:
    """The ends of an axis for some values, NaN among them or not, and for others that it is to have in any case."""
    there = [float(value) for value in (*values, *also) if isfinite(value)]
    low, high = (min(there), max(there)) if there else (0.0, 1.0)
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        return low - 0.5, high + 0.5
    margin = 0.04 * (high - low)
    return low - margin, high + margin


@dataclass
class Axes:
    """Two axes and what is drawn between them.

    Attributes
    ----------
    x, y : (float, float)
        Ends of the axes, in the units of the data.
    title, x_label, y_label : str
    width, height : int
        Pixels.
    whole : bool
        Whether only whole numbers stand at the horizontal axis.
    """

    x: tuple[float, float]
    y: tuple[float, float]
    title: str
    x_label: str
    y_label: str
    width: int = 330
    height: int = 230
    whole: bool = False
    drawn: list[Html] = field(default_factory=list)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a point is, in pixels."""
        across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        wide, high = self.width - _LEFT - _RIGHT, self.height - _TOP - _BOTTOM
        return round(_LEFT + across * wide, 1), round(self.height - _BOTTOM - up * high, 1)

    def line(self, xs: Sequence[float], ys: Sequence[float], said: str = "", **style: Any) -> None:
        """A line through all points that are numbers; it has gaps where there are none."""
        stride = -(-len(xs) // MOST_POINTS)
        chosen = [*range(0, len(xs), max(stride, 1))]
        if chosen and chosen[-1] != len(xs) - 1:
            chosen.append(len(xs) - 1)
        path, is_on = [], False
        for k in chosen:
            if is_there := isfinite(xs[k]) and isfinite(ys[k]):
                path.append(("L" if is_on else "M") + "{} {}".format(*self.at(xs[k], ys[k])))
            is_on = is_there
        if path:
            style = {"stroke": "currentColor", "stroke_width": 1.5, "stroke_linejoin": "round"} | style
            self.drawn.append(tag("path", *_said(said), d="".join(path), fill="none", **style))

    def mark(self, x: float, y: float, said: str = "", colour: str = "currentColor", filled: bool = True) -> None:
        """A round mark, which says something to whoever points at it; none where there is no point."""
        if isfinite(x) and isfinite(y):
            across, down = self.at(x, y)
            fill = {"fill": colour} if filled else {"fill": colour, "fill_opacity": 0.15}
            self.drawn.append(
                tag("circle", *_said(said), cx=across, cy=down, r=4 if filled else 3, stroke=colour, **fill)
            )

    def note(self, x: float, y: float, said: str, **style: Any) -> None:
        """Words at a point."""
        across, down = self.at(x, y)
        self.drawn.append(tag("text", said, x=across, y=down, **style))

    def svg(self) -> Html:
        """The picture."""
        left, bottom = self.at(self.x[0], self.y[0])
        right, top = self.at(self.x[1], self.y[1])
        frame = tag("path", d=f"M{left} {top}V{bottom}H{right}", fill="none", stroke="currentColor", opacity=0.5)
        middle = (left + right) / 2
        words = [
            tag("text", self.title, x=left, y=12, font_weight="600"),
            tag("text", self.x_label, x=middle, y=self.height - 4, text_anchor="middle"),
            tag(
                "text", self.y_label, transform=f"translate(10 {(top + bottom) / 2}) rotate(-90)", text_anchor="middle"
            ),
        ]
        said = f"{self.title}: {self.y_label} against {self.x_label}"
        return svg_of([frame, *self._ticks(), *self.drawn, *words], self.width, self.height, said)

    def _ticks(self) -> list[Html]:
        left, bottom = self.at(self.x[0], self.y[0])
        right, _ = self.at(self.x[1], self.y[1])
        parts = []
        for tick in ticks(*self.x):
            if not self.whole or tick == int(tick):
                across, _ = self.at(tick, self.y[0])
                parts += [
                    _stroke(f"M{across} {bottom}v4"),
                    tag("text", f"{tick:g}", x=across, y=bottom + 14, text_anchor="middle"),
                ]
        for tick in ticks(*self.y):
            _, down = self.at(self.x[0], tick)
            parts += [
                _stroke(f"M{left} {down}H{right}", 0.12),
                tag("text", f"{tick:g}", x=left - 5, y=down + 3.5, text_anchor="end"),
            ]
        return parts


def _stroke(path: str, opacity: float = 0.5) -> Html:
    return tag("path", d=path, fill="none", stroke="currentColor", opacity=opacity)


def _said(words: str) -> tuple[Html, ...]:
    return (tag("title", words),) if words else ()


def values_beside(
    names: Sequence[str],
    values: Sequence[float],
    intervals: Sequence[tuple[float, float]],
    *,
    title: str,
    colours: Sequence[str],
) -> Html | None:
    """Figures of layers in bits beside each other, with intervals; None where there is none."""
    if not any(map(isfinite, values)):
        return None
    ends = [end for interval in intervals for end in interval]
    axes = Axes((-0.5, len(names) - 0.5), spread([*values, *ends], 0.0), title, "layer", "bits", whole=True)
    for k, (name, value, (low, high), colour) in enumerate(zip(names, values, intervals, colours, strict=True)):
        axes.line([k, k], [low, high], f"{low:.3f} to {high:.3f}", stroke=colour, stroke_width=4, opacity=0.5)
        axes.mark(k, value, f"{name}: {value:.3f} bits", colour)
    return axes.svg()


def scale_of(
    value: float, interval: tuple[float, float], bounds: tuple[float, float], *, ceiling: float
) -> Html | None:
    """A value with its interval and bounds on a scale from 0 to the most that it could be; None where it is none."""
    if not isfinite(value):
        return None
    width, height, left, right, down = 330, 56, 10, 320, 24
    ends = [end for end in (*interval, *bounds, value, ceiling) if isfinite(end)]
    top = max(*ends, 1e-9)

    def at(bits: float) -> float:
        return round(left + max(bits, 0.0) / top * (right - left), 1)

    parts = [tag("rect", x=left, y=down - 1, width=right - left, height=2, fill="currentColor", opacity=0.3)]
    for (low, high), size, opacity, what in ((bounds, 8, 0.25, "bounds"), (interval, 8, 0.55, "interval")):
        if isfinite(low) and isfinite(high):
            span = max(at(high) - at(low), 1.0)
            bar = {"x": at(low), "y": down - size / 2, "width": round(span, 1), "height": size, "fill": "#0072B2"}
            parts.append(tag("rect", tag("title", f"{what}: {low:.3f} to {high:.3f}"), opacity=opacity, **bar))
    parts.append(tag("circle", tag("title", f"{value:.3f}"), cx=at(value), cy=down, r=4, fill="#0072B2"))
    parts.append(tag("text", "0", x=left, y=height - 8))
    parts.append(tag("text", f"{top:.4g} bits", x=right, y=height - 8, text_anchor="end"))
    return svg_of(parts, width, height, f"{value:.3f} bits on a scale from 0 to {top:.4g}")


def map_of(values: Sequence[Sequence[float]], title: str, across: str, down: str) -> Html | None:
    """A matrix as squares whose ink says how large an entry is; None where there is no number."""
    there = [float(value) for row in values for value in row if isfinite(value)]
    if not there:
        return None
    n_rows, n_columns = len(values), len(values[0])
    most = max(*there, 1e-300)
    side = max(3.0, min(18.0, 240 / n_columns, 150 / n_rows))
    squares = [
        tag(
            "rect",
            tag("title", f"{value:.3f} bits"),
            x=round(14 + k * side, 1),
            y=round(20 + i * side, 1),
            width=round(side, 1),
            height=round(side, 1),
            fill="#0072B2",
            fill_opacity=round(max(float(value), 0.0) / most, 3),
            stroke="currentColor",
            stroke_opacity=0.15,
        )
        for i, row in enumerate(values)
        for k, value in enumerate(row)
        if isfinite(value)
    ]
    width, height = round(28 + max(n_columns * side, 190)), round(40 + n_rows * side)
    words = together(
        tag("text", f"{title}, to {most:.3g} bits", x=14, y=12, font_weight="600"),
        tag("text", across, x=14, y=height - 8),
        tag("text", down, transform=f"translate(9 {20 + n_rows * side / 2}) rotate(-90)", text_anchor="middle"),
    )
    return svg_of([*squares, words], width, height, title)
