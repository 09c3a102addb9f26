"""The causal plane as a file in which the layers move: a video, or a page with a player."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ei_fast.figures.motion import OWNER, PAUSE, Motion, check_trajectory, motion_of
from ei_fast.figures.packages import script_of_bokeh, writer_of_mp4
from ei_fast.parameters import Integer
from ei_fast.training.trajectory import Trajectory

_VERBOSE = Integer(0, allows_bool=True)


def animate_causal_plane(
    trajectory: Trajectory,
    path: str | os.PathLike[str],
    fps: float | None = None,
    pause: float = 1.0,
    trail: int = 20,
    verbose: int = 1,
    *,
    per: str = "layer",
) -> Path:
    """Write the layers' way through the causal plane as a video, or as a page with a player.

    To the left the plane, where each layer is a point with a trail; to the right the losses with a marker that moves
    along them (other metrics where no loss was recorded, EI where nothing was). Where it is wide enough to be seen, a
    light bar through the point is the 95 % interval of EI, and a faint one the bounds on EI that rest on no model.
    Where EI is only known to lie between bounds a layer is a light bar without a point, and its trail is broken.

    Parameters
    ----------
    trajectory : Trajectory
        At least one step; of several runs for ``.html`` alone, where they are told apart by the shape of their points.
    path : str or path
        By its suffix:

        - ``.mp4``: H.264; needs ``pip install "ei_fast[video]"``;
        - ``.gif``, which is held in memory while it is written, about a third of a megabyte a step;
        - ``.html``: one file with all that it needs, about 1.3 megabytes, to play and step through, with layers and
          runs to choose, figures per layer or edge, and a panel for each layer; needs ``pip install "ei_fast[html]"``.
    fps : float, optional
        Steps shown a second; where not given, about ten seconds for all, but at least 2 and at most 30 a second.
    pause : float, default 1.0
        Seconds for which the first and the last step of a video stand still. An ``.mp4`` has one frame a step and
        ``round(pause * fps)`` more at either end; in a ``.gif`` these are not frames of their own, but last longer.
    trail : int, default 20
        Steps that stay visible behind each point.
    verbose : int, default 1
        Above 0 a progress bar counts the frames.
    per : "layer" or "edge", default "layer"
        Bits of the whole layer; or divided by its number of edges, n_in · n_out, so that a wide layer does not flatten
        the others. In a page both can be chosen, and this is what it begins with.

    Returns
    -------
    Path
        Of the file, which is written whole or not at all.

    Raises
    ------
    ImportError
        Where the suffix needs a package that is not installed.
    TypeError, ValueError
        For another suffix, a trajectory without steps, several runs in a video, figures per edge of a trajectory that
        does not know the widths of its layers, or parameters that are not allowed.

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> recorder = ef.Recorder(ef.EffectiveInformation(random_state=0))
    >>> for step in range(3):
    ...     _ = recorder.record([np.eye(2) * step], step=step, loss=1.0 / (1 + step))
    >>> ef.animate_causal_plane(recorder.trajectory_, "plane.gif", verbose=0)  # doctest: +SKIP
    PosixPath('plane.gif')
    """
    path = Path(path)
    writer = _writer_of(path)
    check_trajectory(trajectory)
    if not path.parent.is_dir():
        raise ValueError(f"The 'path' parameter of {OWNER} must be in a folder that exists. Got {str(path)!r} instead.")
    shown = bool(_VERBOSE.checked("verbose", verbose, OWNER))
    PAUSE.checked("pause", pause, OWNER)
    if writer is None:
        from ei_fast.figures.player import runs_of, write_player

        return write_player(runs_of(trajectory), path, fps=fps, trail=trail, per=per)
    motion = motion_of(trajectory, fps, pause, trail, per)
    # The suffix stays at the end: it tells the writers what is to be written.
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        writer(motion, temporary, shown)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _writer_of(path: Path) -> Callable[[Motion, Path, bool], Any] | None:
    """The writer of a video's suffix, loaded with what it needs; None for a page, which is no sequence of frames."""
    if path.suffix == ".mp4":
        from ei_fast.figures.video import write_mp4

        writer_of_mp4()
        return write_mp4
    if path.suffix == ".gif":
        from ei_fast.figures.video import write_gif

        return write_gif
    if path.suffix == ".html":
        script_of_bokeh()
        return None
    raise ValueError(f"The 'path' parameter of {OWNER} must end in .mp4, .gif or .html. Got {str(path)!r} instead.")
