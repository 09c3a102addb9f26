"""The page around the figures: everything in one file, or beside a script that several pages share."""

import json
import os
import re
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from ei_fast.errors import missing_extra
from ei_fast.figures.motion import OWNER, check_trajectory, checked_rate, checked_trail
from ei_fast.figures.player.contents import contents_of
from ei_fast.figures.scale import scaled
from ei_fast.runtime.files import write_whole
from ei_fast.training.trajectory import Trajectory

# One after the other: each uses what stands in those before it.
_SCRIPTS = ("tracks", "names", "view", "plane", "losses", "key", "figures", "playing", "page")


def script_of_bokeh() -> str:
    """The text of BokehJS, which Bokeh for Python brings; ImportError that says how to get it."""
    try:
        import bokeh.server
    except ImportError as error:
        raise missing_extra("animate_causal_plane to .html", "bokeh", "html") from error
    return (files(bokeh.server) / "static" / "js" / "bokeh.min.js").read_text(encoding="utf-8")


def runs_of(trajectory: Trajectory) -> dict[str, Trajectory]:
    """The runs of a trajectory by their names; a single one that has none is called ""."""
    names = dict.fromkeys(trajectory.runs or ())
    return {name: trajectory.of_run(name) for name in names} if names else {"": trajectory}


def write_player(
    trajectories: Mapping[str, Trajectory],
    path: str | os.PathLike,
    *,
    fps: float | None = None,
    trail: int = 20,
    per: str = "layer",
    title: str = "",
    script: str | None = None,
) -> Path:
    """Write a page in which the layers of one or several runs move through the causal plane.

    Parameters
    ----------
    trajectories : mapping of str to Trajectory
        Runs by their names, each of at least one step. Layers of the same name have the same colour; a run shows its
        last record at or before the step.
    path : str or path
        Of the page.
    fps : float, optional
        Steps shown a second; where not given, about ten seconds for all, but at least 2 and at most 30 a second.
    trail : int, default 20
        Records that stay visible behind each point.
    per : "layer" or "edge", default "layer"
        What the page begins with: bits of a layer, or of each of its edges.
    title : str, default ""
        A heading, where it is not empty.
    script : str, optional
        Address, relative to the page, of a file with the text of `script_of_bokeh`, where several pages share it. The
        page holds the script itself where not given.

    Returns
    -------
    Path
        Of the page, which is written whole or not at all.

    Raises
    ------
    ImportError
        Where Bokeh is not installed.
    TypeError, ValueError
        Where there is no run, a run has no steps, or for parameters that are not allowed.
    """
    # Before Bokeh is imported elsewhere: the message says how to get it.
    library = script_of_bokeh()
    from ei_fast.figures.player.models import losses_item, plane_item

    if not trajectories:
        raise ValueError(
            f"The 'trajectories' parameter of write_player must hold at least one run. Got {trajectories!r}."
        )
    for trajectory in trajectories.values():
        check_trajectory(trajectory)
        scaled(trajectory, per, OWNER)
    contents = contents_of(trajectories)
    contents |= {"rate": checked_rate(fps, len(contents["steps"])), "trail": checked_trail(trail), "per": per}
    contents["figures"] = {"plane": plane_item(), "losses": losses_item(contents["logarithmic"])}
    page = _filled(
        {
            "title": escape(title or "Causal plane"),
            "heading": f"<h1>{escape(title)}</h1>" if title else "",
            "style": _text("page.css"),
            "library": f"<script>{library}</script>" if script is None else f'<script src="{escape(script)}"></script>',
            # A page of its own needs no other file; one that shares a script reads it from where it lies itself.
            "sources": "'unsafe-inline'" if script is None else "'unsafe-inline' 'self' file:",
            "contents": _json(contents),
            "script": "\n".join(_text(f"{name}.js") for name in _SCRIPTS),
        }
    )
    write_whole(Path(path), page.encode("utf-8"), lasting=False)
    return Path(path)


def _text(name: str) -> str:
    return (files("ei_fast.figures.player") / name).read_text(encoding="utf-8")


def _json(contents: Any) -> str:
    """JSON that can stand between tags: no name in it begins a tag or a comment."""
    return json.dumps(contents, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _filled(parts: Mapping[str, str]) -> str:
    """The page with all parts in it; these are not searched for places of others."""
    return re.sub("@([a-z]+)@", lambda place: parts[place[1]], _text("page.html"))
