"""What the notebooks of docs/published compute is what they and their index say of the published figures."""

import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

PAGES = Path(__file__).parents[1] / "docs" / "published"
NOTEBOOKS = ("one-edge", "two-inputs", "convergence", "trainings")
CELL = re.compile(r"```\{code-cell\} ipython3\n(?:---\n.*?\n---\n)?(?::[^\n]*\n)*(.*?)```", re.DOTALL)
SAID = (PAGES / "index.md").read_text("utf-8")

pytestmark = [
    pytest.mark.slow,
    # Hundreds of figures are left open where nobody shows them.
    pytest.mark.filterwarnings("ignore:More than 20 figures"),
]


@pytest.fixture(scope="module")
def ran():
    """The names that each notebook leaves, run from top to bottom without Jupyter, when they are asked for."""
    left = {}

    def names(page):
        if page not in left:
            namespace: dict = {}
            for cell in CELL.findall((PAGES / f"{page}.md").read_text("utf-8")):
                lines = [line for line in cell.split("\n") if not line.startswith("%")]
                exec(compile("\n".join(lines), page, "exec"), namespace)
            plt.close("all")
            left[page] = namespace
        return left[page]

    return names


def _says(*figures):
    for figure in figures:
        assert str(figure) in SAID, figure


def test_all_notebooks_are_run_and_listed():
    assert sorted(path.stem for path in PAGES.glob("*.md")) == sorted([*NOTEBOOKS, "index"])
    for page in NOTEBOOKS:
        text = (PAGES / f"{page}.md").read_text("utf-8")
        assert text.count("```{code-cell}") == len(CELL.findall(text)) > 3
        # Whoever does not see a picture is told of it.
        assert text.count("image:\n    alt: ") >= 2
        assert f"({page}.md" in SAID


def test_peaks_of_one_edge_are_the_published_ones(ran):
    left = ran("one-edge")
    for name, published in left["PUBLISHED"].items():
        assert np.allclose(left["peaks"][name], published, atol=1e-9)
    assert left["most"]["relu"] == pytest.approx([3, 4, 5, 6], abs=1e-12)
    # Of one edge all measures are one.
    assert left["some"].ei == pytest.approx(left["curves"]["sigmoid", 64][48], abs=1e-12)


def test_curves_tend_to_their_limit_which_peaks_beside_the_guide_lines(ran):
    left = ran("one-edge")
    assert left["tends"]["sigmoid"] == pytest.approx(2.70, abs=0.006)
    assert left["tends"]["tanh"] == pytest.approx(1.27, abs=0.006)
    for name in ("sigmoid", "tanh"):
        apart = [left["apart"][name, bins] for bins in left["MANY"]]
        assert apart == sorted(apart, reverse=True)
        assert apart[-1] < apart[0] / 5
        assert left["lost"][name] > 0
        _says(f"{left['tends'][name]:.2f}", f"{left['lost'][name]:.5f}")


def test_dropping_and_counting_of_one_edge(ran):
    left = ran("one-edge")
    _says(f"{left['widest'][64][0]:.2f} bits lower at 64 bins")
    # A pair that is missing from the staircase is a few hundred-thousandths of a bit.
    assert left["excess"] < 1e-4
    # Counting of 30,000 samples has noise, and no bias that could be seen.
    assert abs(left["differences"].mean()) < 4 * left["differences"].std() / np.sqrt(len(left["places"]))


def test_surfaces_of_two_inputs(ran):
    left = ran("two-inputs")
    sigmoid = left["planes"]["sigmoid"]
    # To turn both weights round mirrors the output, and changes nothing.
    assert np.allclose(sigmoid["EI"], sigmoid["EI"][::-1, ::-1], atol=0.05)
    assert np.allclose(sigmoid["sensitivity"], sigmoid["sensitivity"][::-1, ::-1], atol=1e-6)
    _, a, b = left["peaks"]["sigmoid"]
    assert a < 0 < b
    assert max(left["on_axes"].values()) < 0.01
    for phi in left["phi"].values():
        assert phi.min() > -1e-6
    assert left["above"]["sigmoid", 64] == left["above"]["tanh", 64] == left["above"]["relu", 128] == 0
    for report in left["at_many"].values():
        assert report.sensitivity == 0.0
        assert report.ei_interval[0] > 1.0
    _says(
        f"not on {100 * left['above']['sigmoid', 8]:.1f} % of the plane",
        f"fails on {100 * left['above']['relu', 64]:.1f} %",
    )
    largest = max(difference for _, difference, _ in left["found"].values())
    _says(f"too high by up to {largest:.2f} bits")


def test_convergence_and_the_formula_of_its_bias(ran):
    left = ran("convergence")
    for scale in (1, 5):
        too_much = left["curves"][6, scale][-1] - left["reports"][6, scale].ei
        _says(f"{too_much:.3f}")
        assert too_much > 50 * left["reports"][6, scale].ei_stderr
        # From 2→2 to 4→4 all is well sampled in the end.
        for n in (2, 3, 4):
            assert abs(left["curves"][n, scale][-1] - left["reports"][n, scale].ei) < 0.02
    for difference, stderr, formula, share in left["compared"].values():
        if share >= 5:
            assert abs(difference - formula) < 4 * stderr + 0.2 * formula
    good, bad = left["ratios"](5, np.inf), left["ratios"](0, 1)
    assert 0.75 < min(good) < max(good) < 1.25
    assert min(bad) < 0.1
    low, high = left["first"][1][0]
    counted = left["first"][1][-1]
    _says(f"{counted:.2f} bits at first", f"between {low:.2f} and {high:.2f}")
    assert counted == pytest.approx(left["first"][1][1], abs=0.01)


def test_trainings(ran):
    left = ran("trainings")
    right, counted = left["runs"]["mnist"].ei[-1], left["by_counting"]["mnist"].ei[-1]
    _says(
        f"{counted[0]:.2f} in place of {right[0]:.2f} bits",
        f"{counted[1]:.2f} in place of {right[1]:.2f} in the second",
    )
    assert all((bits > -0.01).all() for bits in left["too_much"].values())
    degeneracy = left["ends"]["mnist"]
    an_edge = degeneracy / [n_in * n_out for n_in, n_out in left["runs"]["mnist"].widths]
    _says(
        f"{degeneracy[0]:.2f} bits of degeneracy",
        f"{degeneracy[1:].min():.0f} to {degeneracy[1:].max():.0f} in the others",
    )
    _says(f"{an_edge.min():.2f} to {an_edge.max():.2f} |")
    shares = left["shares"]
    _says(f"{100 * shares['iris'][0]:.0f} % (Iris)", f"{100 * shares['mnist'][0]:.0f} % (MNIST)")
    _says(f"{100 * shares['mnist-relu'][0]:.0f} %, in {100 * shares['mnist-relu'][1]:.0f} % of the epochs")
    # Both began below the line on which degeneracy is 0.
    for name in ("iris", "mnist"):
        assert (left["runs"][name].degeneracy[0] < 0).all()
