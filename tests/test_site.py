"""The site is built without a warning, opens from disk, and loads nothing from elsewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import ei_fast

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of a site that was built anew; what it needs is the extra ``docs``."""
    for name in ("sphinx", "myst_parser", "myst_nb", "furo", "sphinx_copybutton", "sphinx_design"):
        pytest.importorskip(name)
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-E", "-d", f"{out}-doctrees", "docs", out]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def pages(site):
    return {path.relative_to(site).as_posix(): path.read_text("utf-8") for path in site.rglob("*.html")}


def test_nothing_is_loaded_from_elsewhere(site, pages):
    loaded = r"<(?:script|img|iframe|video|source)[^>]*\ssrc=\"([^\"]+)|<link[^>]*\shref=\"([^\"]+)"
    for name, text in pages.items():
        found = [src or href for src, href in re.findall(loaded, text)]
        assert found, name
        assert [one for one in found if re.match(r"(?:https?:)?//", one)] == [], name
    for style in site.rglob("*.css"):
        assert not re.search(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", style.read_text("utf-8")), style


def test_every_link_leads_somewhere(site, pages):
    for name, text in pages.items():
        for link in re.findall(r"<a[^>]*\shref=\"([^\"#:]+)(?:#[^\"]*)?\"", text):
            assert ((site / name).parent / link).exists(), f"{link} in {name}"


def test_every_public_name_and_command_has_a_place(pages):
    reference = "\n".join(text for name, text in pages.items() if name.startswith("reference/"))
    for name in ei_fast.__all__:
        assert f'id="ei_fast.{name}"' in reference, name
    for command in ("analyze", "batch-plan", "batch-run", "demo", "warmup"):
        assert f'id="ei-fast-{command}"' in pages["reference/commands.html"], command


def test_formulas_are_drawn_by_the_browser(pages):
    assert "<math" in pages["measured.html"]
    assert not any(re.search(r"<script[^>]*mathjax", text, re.IGNORECASE) for text in pages.values())


def test_notebooks_have_run(pages):
    for name in ("one-edge", "two-inputs", "convergence", "trainings"):
        text = pages[f"published/{name}.html"]
        pictures = re.findall(r'<img alt="([^"]*)"[^>]*src="\.\./_images/', text)
        assert len(pictures) >= 2, name
        # Whoever does not see a picture is told of it.
        assert all(len(alt) > 20 for alt in pictures), name
        assert text.count("<table") >= 2, name
        assert "Traceback" not in text
        assert "| --- |" not in text
    # A trajectory as notebooks show it, with its pictures and in the colours of the page.
    assert '<div class="ei-fast">' in pages["published/trainings.html"]
    assert "currentColor" in pages["published/trainings.html"]


def test_words_are_found(site):
    index = (site / "searchindex.js").read_text("utf-8")
    assert "undersampl" in index
    assert "guides/bins" in index
