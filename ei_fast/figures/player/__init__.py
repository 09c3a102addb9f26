"""The causal plane as a page: one file to play, pause and step through, which fetches nothing.

Python writes what is shown (`contents.py`), the figures as Bokeh has them, still empty (`models.py`), and the page
around both (`page.py`). In the browser `tracks.js` reads the data, `plane.js` and `losses.js` (both a `view.js`) fill
the figures of a step, `figures.js` says which are in sight, `playing.js` which step that is, and `key.js` and `page.js`
what of it is to be seen.
"""

from ei_fast.figures.packages import script_of_bokeh
from ei_fast.figures.player.page import runs_of, write_player

__all__ = ["runs_of", "script_of_bokeh", "write_player"]
