"""How the site is built: ``python -m sphinx -W -b html docs OUT``, offline."""

import os
import sys
from pathlib import Path

# Pictures in examples of docstrings open no window.
os.environ.setdefault("MPLBACKEND", "agg")

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

from ei_fast import __version__  # noqa: E402

project = "ei_fast"
author = "the authors of ei_fast"
version = release = __version__
html_title = f"ei_fast {__version__}"

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
    "sphinx_design",
    "commands",
    "mathml",
]
exclude_patterns = ["_ext"]

# Notebooks are pages as well, and run when the site is built: with this copy of the package, away from the sources.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(HERE.parent), os.environ.get("PYTHONPATH"))))
nb_execution_mode = "auto"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True
nb_render_markdown_format = "gfm"

# Pages are read at GitHub too: what both understand is preferred to directives.
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 4

# A word in single backticks is code, and a link where it names something public.
default_role = "py:obj"
add_module_names = False
# Of options of the command line two hyphens would become a dash.
smartquotes = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"
# Frameworks that a callback needs may be missing where the site is built.
autodoc_mock_imports = ["keras", "lightning", "skorch", "torch", "transformers"]
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

html_theme = "furo"
pygments_dark_style = "github-dark"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
copybutton_exclude = ".linenos, .gp, .go"
