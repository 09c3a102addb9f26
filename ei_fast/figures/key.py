"""Which colour is which layer: a legend of a few layers, a bar by depth of many, and neither in the data's way."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.offsetbox import AnchoredOffsetbox, DrawingArea, HPacker, TextArea
from matplotlib.patches import Rectangle
from matplotlib.textpath import text_to_path
from matplotlib.transforms import ScaledTranslation

from ei_fast.figures.axes import figure_of
from ei_fast.figures.colours import layer_colours
from ei_fast.figures.names import LEAST, LIMIT, shortened
from ei_fast.figures.style import LEGEND, SMALL

MOST_ENTRIES = 8
"""Of more layers a bar shows the colours."""

DEPTH = "ei_fast depth"
"""Of the bar of colours by depth, among the artists of a picture."""

# What a key may take of the height of axes that have none yet: a quarter of a picture, about.
_SHARE = 0.28
_LIMITS = (LIMIT, 18, 14, 10, LEAST)
# A metric has few others beside it.
_LIMIT_OF_METRICS = 40
# Points: what an entry takes beside its text; a line of text; the bar, and what is between it and its names.
_HANDLE, _LINE = SMALL * (LEGEND["handlelength"] + LEGEND["handletextpad"] + LEGEND["columnspacing"]), 1.4 * SMALL
_LONGEST_BAR, _SHORTEST_BAR, _BAR_HEIGHT, _GAP, _BAR_LINE = 80.0, 36.0, 6.0, 4.0, 1.6 * SMALL
# Between notes that share a line.
_AND = "; "


def draw_key(
    ax: Axes,
    handles: Sequence[Any],
    names: Sequence[str],
    notes: Sequence[str] = (),
    *,
    further: Mapping[str, Any] | None = None,
    inside: bool = False,
    is_laid_out: bool = False,
) -> None:
    """Say which colour is which layer: up to eight in a legend, more in a slim bar by depth.

    Names are shortened until the legend takes no more than about a quarter of the height. Where even the shortest take
    more, there is a bar as well.

    Parameters
    ----------
    ax : matplotlib Axes
    handles : sequence of artists
        One for each layer.
    names : sequence of str
        Of the layers.
    notes : sequence of str
        What else is to be known of the picture.
    further : mapping of str to artist, optional
        Entries beside those of the layers, which are not shortened.
    inside : bool, default False
        Whether the key stands in axes that hold nothing else, and not above them.
    is_laid_out : bool, default False
        Whether axes have their places; otherwise the figure's layout is made here.
    """
    further = dict(further or {})
    width, height = _cleared(ax, is_laid_out)
    title = _lines_of(notes, width)
    rows = int((height if inside else _SHARE * height) / _LINE) - len(title)
    short = _fitted(names, list(further), width, rows) if len(names) <= MOST_ENTRIES else None
    if short is None:
        _draw_depth_bar(ax, names, width, inside)
        _draw_legend(ax, list(further.values()), list(further), title, inside, beside=_BAR_LINE)
    else:
        _draw_legend(ax, [*handles, *further.values()], [*short, *further], title, inside)


def legend_above(
    ax: Axes,
    handles: Sequence[Any],
    labels: Sequence[str],
    notes: Sequence[str] = (),
    further: Mapping[str, Any] | None = None,
    *,
    is_laid_out: bool = False,
) -> None:
    """A legend above the axes, where it hides no data, in as many columns as their width has room for.

    Parameters
    ----------
    ax : matplotlib Axes
    handles : sequence of artists
    labels : sequence of str
        Shortened where they take too much room.
    notes : sequence of str
        What else is to be known of the picture.
    further : mapping of str to artist, optional
        Entries that are not shortened.
    is_laid_out : bool, default False
        Whether axes have their places; otherwise the figure's layout is made here.
    """
    further = dict(further or {})
    width, height = _cleared(ax, is_laid_out)
    title = _lines_of(notes, width)
    rows = max(int(_SHARE * height / _LINE) - len(title), 1)
    limits = (_LIMIT_OF_METRICS, *_LIMITS)
    short = _fitted(labels, list(further), width, rows, limits)
    if short is None:
        short = _as_many_as(shortened(labels, LEAST), _columns(shortened(labels, LEAST), width), height)
    _draw_legend(ax, [*handles[: len(short)], *further.values()], [*short, *further], title, inside=False)


def _as_many_as(labels: Sequence[str], columns: int, height: float) -> list[str]:
    """The first labels that half of the height has room for; the last of them says how many there are."""
    most = columns * max(int(height / 2.0 / _LINE), 1)
    if len(labels) <= most:
        return list(labels)
    return [*labels[: most - 1], f"… of {len(labels)}"]


def text_width(text: str, size: float = SMALL) -> float:
    """Width of a line of text in points."""
    width, _, _ = text_to_path.get_text_width_height_descent(text, FontProperties(size=size), False)
    return float(width)


def _cleared(ax: Axes, is_laid_out: bool) -> tuple[float, float]:
    """Width and height of axes in points, from which an earlier key has been taken."""
    for old in [artist for artist in ax.artists if artist.get_gid() == DEPTH]:
        old.remove()
    legend = ax.get_legend()
    if legend is not None:
        legend.remove()
    if not is_laid_out:
        lay_out(ax)
    return _room(ax)


def lay_out(ax: Axes) -> None:
    """Give all axes of a figure the places that its layout will give them, as far as it is drawn."""
    figure = figure_of(ax)
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)


def _room(ax: Axes) -> tuple[float, float]:
    """Width and height of axes in points."""
    figure = figure_of(ax)
    place = ax.get_window_extent()
    return place.width * 72.0 / figure.dpi, place.height * 72.0 / figure.dpi


def _columns(labels: Sequence[str], width: float) -> int:
    widest = max((text_width(label) for label in labels), default=0.0)
    most = max(1, min(int((width + SMALL) // (_HANDLE + widest)), len(labels)))
    # As many as the rows that this makes need, so that the columns are of one height.
    return -(-len(labels) // -(-len(labels) // most)) if labels else 1


def _fitted(
    names: Sequence[str], fixed: Sequence[str], width: float, rows: int, limits: Sequence[int] = _LIMITS
) -> list[str] | None:
    """Names, as long as the rows that there are hold them and what is `fixed` beside them; None where none do."""
    for limit in limits:
        short = shortened(names, limit)
        labels = [*short, *fixed]
        fits = all(_HANDLE + text_width(label) <= width + SMALL for label in short)
        if fits and -(-len(labels) // _columns(labels, width)) <= rows:
            return short
    return None


def _lines_of(notes: Sequence[str], width: float) -> list[str]:
    """Notes in lines no wider than there is room for: several in one, or one in several, broken between words."""
    lines: list[str] = []
    for note in filter(None, notes):
        if lines and text_width(lines[-1] + _AND + note) <= width:
            lines[-1] += _AND + note
            continue
        first, *rest = note.split(" ")
        lines.append(first)
        for word in rest:
            if text_width(f"{lines[-1]} {word}") <= width:
                lines[-1] += f" {word}"
            else:
                lines.append(word)
    return lines


def _draw_legend(
    ax: Axes, handles: Sequence[Any], labels: Sequence[str], title: Sequence[str], inside: bool, *, beside: float = 0.0
) -> None:
    """A legend above the axes or in them, `beside` points from their upper edge."""
    if not (len(labels) or title):
        return
    figure = figure_of(ax)
    away = ScaledTranslation(0.0, (-beside if inside else beside) / 72.0, figure.dpi_scale_trans)
    # Names are what they are: no formula in dollars, none left out for a leading underscore.
    legend = ax.legend(
        handles,
        [f"entry {k}" for k in range(len(labels))],
        loc="upper left" if inside else "lower left",
        bbox_to_anchor=(0.0, 1.0),
        bbox_transform=ax.transAxes + away,
        ncols=_columns(labels, _room(ax)[0]),
        title="\n".join(title) or None,
        **LEGEND,
    )
    for text, label in zip(legend.get_texts(), labels, strict=True):
        text.set(text=label, parse_math=False)


def _draw_depth_bar(ax: Axes, names: Sequence[str], width: float, inside: bool) -> None:
    """A slim bar of the layers' colours, first to last, with the names of both at its ends."""
    for limit in _LIMITS:
        short = shortened(names, limit)
        first, last = short[0], short[-1]
        # A little less than there is: letters are drawn at whole pixels.
        rest = 0.94 * width - 2.0 * _GAP - text_width(first) - text_width(last)
        if rest >= _SHORTEST_BAR:
            break
    across = max(_SHORTEST_BAR, min(_LONGEST_BAR, rest))
    strip = DrawingArea(across, _BAR_HEIGHT)
    colours = layer_colours(len(names))
    piece = across / len(colours)
    for k, colour in enumerate(colours):
        # A little over the next one, so that no paper is seen between them.
        strip.add_artist(
            Rectangle((k * piece, 0.0), min(piece + 0.3, across - k * piece), _BAR_HEIGHT, color=colour, lw=0)
        )
    texts = [TextArea(name, textprops={"fontsize": SMALL, "parse_math": False}) for name in (first, last)]
    row = HPacker(children=[texts[0], strip, texts[1]], align="center", pad=0.0, sep=_GAP)
    box = AnchoredOffsetbox(
        "upper left" if inside else "lower left",
        child=row,
        frameon=False,
        pad=0.2,
        borderpad=0.0,
        prop=FontProperties(size=SMALL),
        bbox_to_anchor=(0.0, 1.0),
        bbox_transform=ax.transAxes,
    )
    box.set(gid=DEPTH, clip_on=False)
    ax.add_artist(box)
