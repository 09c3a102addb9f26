"""What a release says of itself in several files is the same in all of them."""

import re
from configparser import ConfigParser
from pathlib import Path

import ei_fast

ROOT = Path(__file__).parents[1]


def _setup():
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    return setup


def _read(path):
    return (ROOT / path).read_text("utf-8")


def test_the_version_is_one():
    assert re.findall(r"^version: (\S+)$", _read("CITATION.cff"), re.MULTILINE) == [ei_fast.__version__]
    assert re.findall(r'^  version: "(.+)"$', _read("packaging/conda/recipe.yaml"), re.MULTILINE) == [
        ei_fast.__version__
    ]


def test_the_recipe_asks_for_what_the_package_asks_for():
    run = _read("packaging/conda/recipe.yaml").partition("  run:\n")[2].partition("\ntests:")[0]
    asked = re.findall(r"^    - (\S+) >=([\d.]+)$", run, re.MULTILINE)
    # Matplotlib without Qt is a package of its own there.
    asked = {name.removesuffix("-base"): oldest for name, oldest in asked}
    ours = dict(line.split(">=") for line in _setup()["options"]["install_requires"].split())
    assert asked == ours
    assert f'python_min: "{_setup()["options"]["python_requires"].removeprefix(">=")}"' in _read(
        "packaging/conda/recipe.yaml"
    )


def test_the_paper_cites_what_its_bibliography_has():
    cited = set(re.findall(r"@([\w-]+)", re.sub(r"^---\n.*?\n---\n", "", _read("paper/paper.md"), flags=re.DOTALL)))
    assert cited == set(re.findall(r"^@\w+\{([\w-]+),$", _read("paper/paper.bib"), re.MULTILINE))


def test_figures_of_the_paper_are_there_and_its_ratios_are_those_of_the_page():
    pictures = re.findall(r"\]\(([^)]+\.png)\)", _read("paper/paper.md"))
    assert pictures
    assert [one for one in pictures if not (ROOT / "paper" / one).exists()] == []
    ratios = set(re.findall(r"[\d,.]+×", _read("paper/paper.md")))
    assert ratios
    assert ratios <= set(re.findall(r"[\d,.]+×", _read("docs/speed.md")))


def test_the_workflow_calls_the_script():
    assert "run: .ci/run" in _read(".github/workflows/ci.yml")
    assert (ROOT / ".ci/run").stat().st_mode & 0o111
