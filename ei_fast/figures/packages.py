"""The packages that some pictures need and not every installation has; each is asked for here, and nowhere else."""

import subprocess
from importlib.resources import files
from types import ModuleType

from ei_fast.errors import missing_extra

_LONGEST_START = 60.0
_known_to_run: set[str] = set()
FFMPEG_REMEDY = (
    "Install it again, pip install --force-reinstall imageio-ffmpeg, set IMAGEIO_FFMPEG_EXE to one that runs or unset "
    "it; or write a .gif or .html, which need none."
)
"""What helps where ffmpeg is there and does not do its work."""


def writer_of_mp4() -> ModuleType:
    """The package that brings ffmpeg; ImportError that says how to get it, or one that can be run."""
    try:
        import imageio_ffmpeg
    except ImportError as error:
        raise missing_extra("animate_causal_plane to .mp4", "ffmpeg", "video") from error
    program = "ffmpeg"
    try:
        program = imageio_ffmpeg.get_ffmpeg_exe()
        _check_runs(program)
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        raise ImportError(
            f"animate_causal_plane to .mp4 needs an ffmpeg that runs: {program!r} does not ({error}). {FFMPEG_REMEDY}"
        ) from error
    package: ModuleType = imageio_ffmpeg
    return package


def _check_runs(program: str) -> None:
    if program not in _known_to_run:
        subprocess.run([program, "-version"], capture_output=True, check=True, timeout=_LONGEST_START)
        _known_to_run.add(program)


def script_of_bokeh() -> str:
    """The text of BokehJS, which Bokeh for Python brings; ImportError that says how to get it."""
    try:
        import bokeh.server
    except ImportError as error:
        raise missing_extra("animate_causal_plane to .html", "bokeh", "html") from error
    return (files(bokeh.server) / "static" / "js" / "bokeh.min.js").read_text(encoding="utf-8")
