"""The causal plane as a page: one file to play, pause and step through, which fetches nothing."""

import json
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import to_hex

from ei_fast.figures.animation import Motion
from ei_fast.figures.measures import falls_far
from ei_fast.figures.style import layer_colours
from ei_fast.figures.ticks import log_ticks, tick_text
from ei_fast.runtime.files import plain

_DASHES = {"-": "solid", "--": "dash", ":": "dot", "-.": "dashdot"}


def script_of_plotly() -> str:
    """The text of plotly.js, which plotly for Python brings; ImportError that says how to get it."""
    try:
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise ImportError('animate_causal_plane to .html needs plotly: pip install "ei_fast[html]"') from error
    return get_plotlyjs()


def write_html(motion: Motion, path: Path, verbose: bool) -> None:
    """A page with all that it needs; no frames are drawn, so there is nothing to watch."""
    page = (files("ei_fast.figures") / "player.html").read_text(encoding="utf-8")
    # What stands between tags must not close them.
    data = json.dumps(_values(motion), allow_nan=False).replace("</", "<\\/")
    # The data last: it may hold anything, and is not searched.
    head, tail = page.replace("@plotly@", script_of_plotly()).split("@motion@")
    path.write_text(head + data + tail, encoding="utf-8")


def _values(motion: Motion) -> dict[str, Any]:
    """What the page is told of a motion; names are shown as they are, where plotly would read tags in them."""
    logarithmic = falls_far(motion.curves)
    finite = np.concatenate([values[np.isfinite(values)] for values in motion.curves.values()])
    # As other pictures have them, where plotly would write single digits; elsewhere as plotly has it.
    ticks = log_ticks(float(finite.min()), float(finite.max())) if logarithmic else None
    return {
        "layers": [escape(name, quote=False) for name in motion.layers],
        "colours": layer_colours(len(motion.layers)),
        "steps": plain(motion.steps),
        "horizontal": [_numbers(column) for column in motion.horizontal.T],
        "vertical": [_numbers(column) for column in motion.vertical.T],
        "horizontal_limits": motion.horizontal_limits,
        "vertical_limits": motion.vertical_limits,
        "curves": [
            {
                "name": escape(name.replace("_", " "), quote=False),
                "values": _numbers(values),
                "dash": _DASHES[style["linestyle"]],
                "colour": to_hex(style["color"]),
            }
            for (name, values), style in zip(motion.curves.items(), motion.styles, strict=True)
        ],
        "beside": motion.beside,
        "logarithmic": logarithmic,
        "ticks": ticks,
        "tick_texts": None if ticks is None else [tick_text(tick) for tick in ticks],
        "bars": _bars(motion.bars),
        "intervals": _bars(motion.intervals),
        "bounds": _bars(motion.bounds),
        "notes": [escape(note, quote=False) for note in motion.notes],
        "rate": motion.rate,
        "trail": motion.trail,
    }


def _bars(bars: np.ndarray) -> list[dict[str, list]]:
    """Both ends of a bar (n_steps, n_layers, 2, 2), of each layer at every step."""
    return [
        {"x": [_numbers(ends) for ends in of_layer[..., 0]], "y": [_numbers(ends) for ends in of_layer[..., 1]]}
        for of_layer in bars.swapaxes(0, 1)
    ]


def _numbers(values: np.ndarray) -> list[float | None]:
    """Numbers as JSON has them, which has no NaN."""
    return [float(value) if np.isfinite(value) else None for value in values]
