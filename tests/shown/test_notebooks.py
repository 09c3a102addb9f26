"""What notebooks are given: well-formed, complete, nothing that runs, and names of strangers are text and no more."""

import re

import numpy as np
import pytest
from chromium import Chromium, found
from read_html import Read

import ei_fast as ef

EVIL = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</svg></table></div><h1>out</h1>",
    "' onmouseover='alert(1)",
    "</title><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "&lt;b&gt; & ]]> <!-- \x00\x1b \u202etxt \ud800",
    "שלום",
)
KNOWN = {
    *("div", "style", "table", "thead", "tbody", "tr", "th", "td", "p", "b", "bdi", "span", "abbr"),
    *("svg", "path", "circle", "rect", "polygon", "text", "title"),
}


def checked(shown):
    """What a notebook is given of something, read; it is well-formed, and nothing in it runs or is loaded."""
    html = shown._repr_html_()
    html.encode("utf-8")
    read = Read(html)
    assert set(read.tags) <= KNOWN
    for name, value in read.attributes:
        assert not name.startswith("on")
        assert name not in ("src", "href", "srcdoc", "action")
        assert "url(" not in (value or "")
    style = "".join(read.said_in("style"))
    assert "url(" not in style
    assert "@import" not in style
    return read


def _recorded(n, names=("a", "b"), **metrics):
    recorder = ef.Recorder(ef.EffectiveInformation(random_state=0, tol=0.1))
    rng = np.random.default_rng(0)
    for k in range(n):
        weights = [rng.normal(0, 1 + k, (3, 3)), rng.normal(0, 1 + k, (3, 2))]
        recorder.record([ef.Layer(w, name=name) for w, name in zip(weights, names, strict=True)], step=k, **metrics)
    return recorder.trajectory_


def _several_runs(n_runs, n_steps=3):
    n = n_runs * n_steps
    names = ("ei", "ei_stderr", "sensitivity", "degeneracy", "ei_parts", "phi_ff")
    measures = {name: np.random.default_rng(1).uniform(0, 5, (n, 2)) for name in names}
    runs = [f"run <{k // n_steps}>" for k in range(n)]
    return ef.Trajectory(list(range(n_steps)) * n_runs, ["in", "out"], measures, {}, runs=runs)


@pytest.fixture(scope="module")
def report():
    rng = np.random.default_rng(0)
    weights = [rng.normal(0, 2, (5, 4)), np.zeros((4, 3)), rng.normal(0, 2, (3, 2))]
    layers = [ef.Layer(w, name=name) for w, name in zip(weights, EVIL[:3], strict=True)]
    return ef.analyze(layers, random_state=0)


def test_a_report(report):
    read = checked(report)
    assert read.tags.count("svg") == 2
    assert read.said_in("bdi") == list(EVIL[:3])
    cells = read.said_in("td")
    for layer in report:
        assert f"{layer.ei:.3f}" in cells
        assert any(layer.name in title and f"{layer.ei:.3f}" in title for title in read.said_in("title"))
    assert ("title", report[1].meaning("constant")) in read.attributes


@pytest.mark.parametrize("name", EVIL)
def test_names_of_strangers_are_text(name):
    weights = np.random.default_rng(0).normal(0, 2, (3, 2))
    layer = ef.Layer(weights, name=name)
    network = ef.Network([layer], skipped=[(name, name)], notes=[(name, name)])
    report = ef.analyze(network, random_state=0)
    seen = (
        name.replace("\x00", "\ufffd").replace("\x1b", "\ufffd").replace("\u202e", "\ufffd").replace("\ud800", "\ufffd")
    )
    for shown in (network, report, report[0]):
        read = checked(shown)
        assert seen in read.said_in("bdi")
    assert any(f"skipped {seen}: {seen}" == line for line in checked(report).said_in("p"))
    assert any(f"note on {seen}: {seen}" == line for line in checked(network).said_in("p"))


@pytest.mark.parametrize("name", EVIL)
def test_names_in_trajectories_are_text(name):
    names = ("ei", "ei_stderr", "sensitivity", "degeneracy", "ei_parts", "phi_ff")
    measures = {key: [[1.0], [2.0]] for key in names}
    flags = [[()], [(name,)]]
    trajectory = ef.Trajectory([0, 1], [name], measures, {name: [1.0, 2.0]}, runs=[name, name], flags=flags)
    checked(trajectory)


def test_all_layers_of_a_long_report_are_there_in_their_blocks():
    rng = np.random.default_rng(0)
    layers = [ef.Layer(rng.normal(0, 1, (2, 2)), name=f"blocks.{k // 3}.part{k % 3}") for k in range(60)]
    network = ef.Network(layers, skipped=[(f"norm{k}", "is no layer") for k in range(30)])
    report = ef.analyze(network, random_state=0, tol=0.1)
    read = checked(report)
    assert read.said_in("bdi") == [layer.name for layer in layers]
    assert [one for one in read.said_in("th") if one.startswith("blocks.")] == [f"blocks.{k}" for k in range(20)]
    # What was skipped for one reason stands on one line, as in the text.
    assert [line for line in read.said_in("p") if "skipped" in line] == [
        line for line in str(report).split("\n") if "skipped" in line
    ]
    read = checked(network)
    assert read.said_in("bdi") == [layer.name for layer in layers]
    assert len([line for line in read.said_in("p") if "skipped" in line]) == 1


def test_one_layer(report):
    for layer in report:
        read = checked(layer)
        assert f"{layer.sensitivity:.4f}" in read.said_in("td")
        assert layer.explain() in "".join(read.said_in("p"))
    # A square for each edge, and what it is.
    read = checked(report[0])
    edges = [title for title in read.said_in("title") if title.endswith(" bits")]
    assert edges == [f"{value:.3f} bits" for value in report[0].ei_parts_matrix.ravel()]


def test_squares_of_a_large_matrix_are_means():
    layer = ef.analyze(np.random.default_rng(0).normal(0, 1, (70, 40)), joint="conditional", tol=10, random_state=0)[0]
    read = checked(layer)
    assert len([title for title in read.said_in("title") if title.endswith(" bits")]) == 32 * 32
    begins, ends = np.linspace(0, 70, 33).astype(int), np.linspace(0, 40, 33).astype(int)
    corner = layer.ei_parts_matrix[begins[0] : begins[1], ends[0] : ends[1]].mean()
    assert read.said_in("title")[-32 * 32].startswith(f"{corner:.3f}")


def test_what_is_not_known_is_shown_as_nothing():
    nothing = ef.analyze(ef.Layer([[1.0]], [50.0], "linear", out_range=(0, 1)), out_of_range="drop")
    assert np.isnan(nothing[0].ei)
    assert "svg" not in checked(nothing).tags
    checked(nothing[0])
    unmeasured = ef.analyze(np.ones((3, 2)), pairwise="none", random_state=0)
    assert checked(unmeasured).tags.count("svg") == 1
    checked(unmeasured[0])


def test_a_network():
    network = ef.as_network([np.ones((784, 100)), np.ones((100, 10))], activation="relu")
    read = checked(network)
    assert read.tags.count("polygon") == 2
    for said in ("784 -> 100", "100 -> 10", "relu", "dense", "(0, 1)"):
        assert said in read.said_in("td")
    function = ef.Function(np.sin, 2, 2, (-1, 1), name="f")
    assert "function" in checked(ef.Network([function])).said_in("td")
    one = checked(ef.Network([ef.Layer([[1.0]])]))
    assert one.tags.count("polygon") == 1


def test_a_network_whose_ranges_overflow_is_shown_all_the_same():
    network = ef.Network([ef.Layer([[1e308], [1e308]], activation="linear")], in_range=(-1e3, 1e3))
    assert any("overflow" in line for line in checked(network).said_in("p"))


def test_a_trajectory():
    trajectory = _recorded(5, loss=0.5)
    read = checked(trajectory)
    assert read.tags.count("svg") == 2
    assert read.said_in("bdi") == ["a", "b"]
    assert f"{trajectory.ei[-1, 1]:.3f}" in read.said_in("td")
    assert f"{trajectory.ei[0, 1]:.3f}" in read.said_in("td")
    assert any("loss: 0.5 at first" in line for line in read.said_in("p"))
    assert any("5 records, steps 0 to 4" in line and "those of each record" in line for line in read.said_in("p"))


def test_trajectories_of_no_one_and_many_records():
    assert any("0 records" in line for line in checked(ef.Trajectory.empty(["a"])).said_in("p"))
    checked(_recorded(1))
    checked(_recorded(0))
    long = checked(_several_runs(1, 5000))
    # A path has no more points than there are pixels.
    assert max(value.count("L") for name, value in long.attributes if name == "d") <= 301


def test_many_runs_are_cut_and_counted():
    read = checked(_several_runs(20))
    assert any("of 20 runs, of which the first 8 are shown" in line for line in read.said_in("p"))
    assert [one for one in read.said_in("th") if one.startswith("run run")] == [f"run run <{k}>" for k in range(8)]
    assert len(read.said_in("bdi")) == 16


def test_a_group():
    weight = np.random.default_rng(0).normal(0, 2, (4, 3))
    group = ef.effective_information(weight, inputs=[0, 1], random_state=0)
    read = checked(group)
    assert any(f"{group.value:.4f} bits" in said for said in read.said_in("b"))
    assert any(f"{group.interval[0]:.4f} to {group.interval[1]:.4f}" in said for said in read.said_in("p"))
    exact = checked(ef.effective_information(np.eye(2), inputs=0, outputs=0, activation="linear"))
    assert any("exact" in said for said in exact.said_in("p"))


def test_flags_of_a_group_are_explained():
    weight = np.random.default_rng(0).normal(0, 1, (12, 40))
    group = ef.effective_information(weight, joint="conditional", tol=1.0, random_state=0)
    assert "undersampled" in group.flags
    read = checked(group)
    assert set(group.flags) == set(read.said_in("abbr"))
    assert any(name == "title" and value.startswith("The joint states outnumber") for name, value in read.attributes)


def test_words_have_the_colour_of_what_is_around_them(report):
    style = "".join(checked(report).said_in("style"))
    assert "fill: currentColor" in style
    assert not re.search(r"(?:color|fill|background):\s*(?:#|black|white)", style)


@pytest.mark.skipif(found() is None, reason="there is no Chromium")
def test_in_a_browser_it_can_be_read_in_light_and_dark_and_nothing_runs(report, tmp_path):
    colours = "body{background:#fff;color:#111}@media(prefers-color-scheme:dark){body{background:#111;color:#eee}}"
    shown = [report, report[0], _recorded(3), ef.as_network([np.ones((3, 2))])]
    body = "".join(one._repr_html_() for one in shown)
    (tmp_path / "page.html").write_text(f"<!doctype html><meta charset=utf-8><style>{colours}</style>{body}", "utf-8")
    browser = Chromium(tmp_path / "profile")
    try:
        for scheme, text in (("light", "rgb(17, 17, 17)"), ("dark", "rgb(238, 238, 238)")):
            browser.prefer(scheme)
            for width in (390, 1280):
                browser.resize(width, 800)
                browser.open((tmp_path / "page.html").as_uri())
                assert browser.value("getComputedStyle(document.querySelector('.ei-fast svg text')).fill") == text
                assert browser.value("getComputedStyle(document.querySelector('.ei-fast td')).color") == text
                # Tables scroll by themselves, and not the page.
                assert browser.value("document.documentElement.scrollWidth") <= width
        assert browser.value("document.querySelectorAll('script, img, h1').length") == 0
        assert browser.complaints == []
        assert len(browser.requests) == 4
    finally:
        browser.close()
