"""The player: what a real browser draws of its page."""

import json

import numpy as np
import pytest
from chromium import Chromium, found
from matplotlib.colors import to_rgb
from played import expected_of, played_trajectory, with_a_bracket

import ei_fast as ef
from ei_fast.figures.colours import layer_colours
from ei_fast.figures.player import script_of_bokeh, write_player

LONG = "model.encoder.layers.{}.feed_forward.dense_projection_of_the_hidden_states.linear"


needs_chromium = pytest.mark.skipif(
    found() is None, reason="needs Chromium, as `apt-get install chromium` brings it, to open the page in"
)


@pytest.fixture(scope="module")
def one_browser(tmp_path_factory):
    browser = Chromium(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def browser(one_browser):
    """A browser that has nothing to say about the page at the end."""
    one_browser.requests.clear()
    one_browser.resize(1280, 720)
    one_browser.prefer("light")
    yield one_browser
    assert one_browser.complaints == []
    assert len(one_browser.requests) == 1  # the page itself


def _open(browser, path):
    browser.open(path.as_uri())
    browser.wait_for("window.eiPlayer")
    browser.settle()


def _source(browser, name, *columns):
    """Columns of a source of the plane, or of the losses, as Bokeh holds them."""
    held = f"Bokeh.documents.map(d => d.get_model_by_name('{name}')).find(Boolean)"
    found = browser.value(f"(source => {json.dumps(columns)}.map(c => [...source.get(c)]))({held})")
    return found[0] if len(columns) == 1 else found


def _slide(browser, index):
    browser.value(f"slider.value = {index}, slider.dispatchEvent(new Event('input')), true")
    browser.settle()


def _choose(browser, element, value):
    browser.value(f"{element}.value = '{value}', {element}.dispatchEvent(new Event('change')), true")
    browser.settle()


_FRAME = """(() => {
    const plot = Bokeh.documents.find(d => d.get_model_by_name("points")).roots()[0];
    const { x_range, y_range, inner_width, inner_height } = plot;
    return [[x_range.start, x_range.end, inner_width], [y_range.start, y_range.end, inner_height]];
})()"""


def _bits_per_pixel(browser):
    return [(end - start) / pixels for start, end, pixels in browser.value(_FRAME)]


@needs_chromium
def test_the_page_shows_every_step_where_it_is(browser, tmp_path):
    trajectory = played_trajectory()
    _open(browser, ef.animate_causal_plane(trajectory, tmp_path / "plane.html", trail=4))
    expected = expected_of(trajectory)
    assert browser.value("[slider.min, slider.max, slider.step]") == ["0", "11", "1"]
    colours = np.array([to_rgb(colour) for colour in layer_colours(3)]) * 255
    for index in (0, 7, 11):
        _slide(browser, index)
        np.testing.assert_allclose(np.transpose(_source(browser, "points", "x", "y")), expected[index], rtol=1e-6)
        assert browser.value("step.textContent") == f"training step {trajectory.steps[index]}"
        xs, ys = _source(browser, "ways", "xs", "ys")
        for k in range(3):
            np.testing.assert_allclose(
                np.transpose([xs[k], ys[k]]), expected[max(index - 4, 0) : index + 1, k], rtol=1e-6
            )
        markers = _source(browser, "markers", "x", "y")
        assert markers[0] == [trajectory.steps[index]] * 2
        np.testing.assert_allclose(
            markers[1], [trajectory.metrics[key][index] for key in ("loss", "val_loss")], rtol=1e-6
        )
        # On the screen: each layer's colour where the frame's own ends say that the point is.
        pixels, shown = browser.pixels(), browser.value("eiPlayer.positions()")
        places = np.array([one["onScreen"][0] for one in shown])
        apart = (
            places[1:] - places[:1],
            (expected[index, 1:] - expected[index, :1]) / _bits_per_pixel(browser) * [1, -1],
        )
        np.testing.assert_allclose(*apart, atol=0.02)
        for k, (x, y) in enumerate(places):
            if k == 2 or min(np.hypot(*(places[k + 1 :] - places[k]).T)) > 16:
                np.testing.assert_allclose(pixels[round(y), round(x)], colours[k], atol=2)


@needs_chromium
def test_brackets_intervals_and_bounds_are_bars(browser, tmp_path):
    trajectory = with_a_bracket()
    _open(browser, ef.animate_causal_plane(trajectory, tmp_path / "plane.html"))
    for index in (3, 7):
        _slide(browser, index)
        bars = np.transpose(_source(browser, "bars", "x0", "x1", "y0", "y1", "alpha"))
        # Bounds of the third layer before its interval, and fainter.
        assert bars[:, 4].tolist() == [0.5, 0.5, 0.25, 0.5]
        ends = [(trajectory.ei[index, k] + by) for k, by in ((0, [-2, 2]), (1, [-2, 2]), (2, [-5, 4]), (2, [-2, 2]))]
        np.testing.assert_allclose(bars[:, :2] * np.sqrt(2), ends, rtol=1e-5, atol=1e-5)
        both = (bars[:, [0, 1]] + bars[:, [2, 3]]) / np.sqrt(2)
        np.testing.assert_allclose(both.T, [trajectory.sensitivity[index, [0, 1, 2, 2]]] * 2, rtol=1e-6)
        assert len(_source(browser, "points", "x")) == (2 if index == 3 else 3)


@needs_chromium
def test_of_many_runs_the_first_is_shown_and_others_at_a_click(browser, tmp_path):
    runs = {f"seed {k}": played_trajectory(seed=k) for k in range(4)}
    _open(browser, write_player(runs, tmp_path / "plane.html"))
    expected = [expected_of(run)[0] for run in runs.values()]

    def held():
        return np.transpose(_source(browser, "points", "x", "y")).reshape(-1, 2)

    np.testing.assert_allclose(held(), expected[0], rtol=1e-6)
    boxes = "[...document.querySelectorAll('#runs input')].map(box => box.checked)"
    assert browser.value(boxes) == [True, False, False, False]
    browser.click("#runs li:nth-child(3) input")
    np.testing.assert_allclose(held(), np.concatenate([expected[0], expected[2]]), rtol=1e-6)


@needs_chromium
def test_layers_and_runs_are_hidden_and_shown(browser, tmp_path):
    runs = {"a": played_trajectory(), "b": played_trajectory(6, seed=1)}
    runs["b"].steps = np.array([5, 15, 25, 35, 200, 300])
    _open(browser, write_player(runs, tmp_path / "plane.html"))
    assert browser.value("slider.max") == "17"
    # Steps 0, 5, 10, 15, 20, 25, 30: the first run is at its record 3, the second at 2.
    _slide(browser, 6)
    expected = np.concatenate([expected_of(runs["a"])[3], expected_of(runs["b"])[2]])

    def held():
        return np.transpose(_source(browser, "points", "x", "y")).reshape(-1, 2)

    np.testing.assert_allclose(held(), expected, rtol=1e-6)
    assert _source(browser, "points", "marker") == ["circle"] * 3 + ["square"] * 3
    assert set(_source(browser, "curves", "dash")) == {"solid", "dashed"}
    browser.click("#layers li:nth-child(2) input")
    np.testing.assert_allclose(held(), expected[[0, 2, 3, 5]], rtol=1e-6)
    browser.click("#runs li:nth-child(1) input")
    np.testing.assert_allclose(held(), expected[[3, 5]], rtol=1e-6)
    assert set(_source(browser, "curves", "dash")) == {"dashed"}
    browser.click("#layers legend button:nth-child(2)")
    assert held().shape == (0, 2)
    browser.click("#layers legend button:nth-child(1)")
    np.testing.assert_allclose(held(), expected[3:], rtol=1e-6)
    # Before its first record a run is nowhere.
    _slide(browser, 0)
    assert held().shape == (0, 2)


@needs_chromium
def test_the_page_plays_and_pauses(browser, tmp_path):
    _open(browser, ef.animate_causal_plane(played_trajectory(40), tmp_path / "plane.html", fps=20))
    browser.click("#play")
    assert browser.value("play.textContent") == "Pause"
    browser.value("new Promise(done => setInterval(() => Number(slider.value) >= 5 && done(true), 10))")
    browser.click("#play")
    assert browser.value("play.textContent") == "Play"
    stopped = browser.value("slider.value")
    browser.value("new Promise(done => setTimeout(() => done(true), 200))")
    assert browser.value("slider.value") == stopped
    _choose(browser, "speed", "8")
    begun = browser.value("performance.now()")
    browser.click("#play")
    browser.value("new Promise(done => setInterval(() => play.textContent === 'Play' && done(true), 10))")
    # At eight times the rate the rest lasts a quarter of a second; at the rate itself nearly two.
    assert browser.value("performance.now()") - begun < 1000 * (39 - int(stopped)) / 20
    assert browser.value("slider.value") == "39"


@needs_chromium
def test_the_keyboard_does_what_the_page_says(browser, tmp_path):
    _open(browser, ef.animate_causal_plane(played_trajectory(), tmp_path / "plane.html", fps=0.1))
    seen = []
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "End", "ArrowRight", "Home"):
        browser.press(key)
        seen.append(browser.value("slider.value"))
    assert seen == ["1", "2", "1", "11", "11", "0"]
    for keys, speed in (("++", "4"), (">>", "8"), ("-", "4"), ("<<<<<<", "0.25")):
        for key in keys:
            browser.press(key)
        assert browser.value("speed.value") == speed
    browser.press(" ")
    assert browser.value("play.textContent") == "Pause"
    browser.press(" ")
    assert browser.value("play.textContent") == "Play"
    # A button that has the focus is pressed once, not twice.
    browser.value("play.focus(), true")
    browser.press(" ")
    assert browser.value("play.textContent") == "Pause"


@needs_chromium
def test_a_double_click_shows_all_again(browser, tmp_path):
    _open(browser, ef.animate_causal_plane(played_trajectory(), tmp_path / "plane.html"))
    before = browser.value(_FRAME)
    plot = "Bokeh.documents.find(d => d.get_model_by_name('points')).roots()[0]"
    browser.value(f"{plot}.x_range.setv({{ start: 1, end: 2 }}), true")
    assert browser.value(_FRAME) != before
    for clicks in (1, 2):
        for kind in ("mousePressed", "mouseReleased"):
            browser.call("Input.dispatchMouseEvent", type=kind, x=300, y=200, button="left", clickCount=clicks)
    browser.settle()
    assert browser.value(_FRAME) == before


@needs_chromium
def test_equal_scales_are_equal(browser, tmp_path):
    _open(browser, ef.animate_causal_plane(played_trajectory(), tmp_path / "plane.html"))
    x, y = _bits_per_pixel(browser)
    assert x != pytest.approx(y, rel=0.1)
    browser.click("#equal")
    for width in (1280, 500):
        browser.resize(width, 700)
        browser.settle()
        x, y = _bits_per_pixel(browser)
        assert x == pytest.approx(y, rel=1e-6)


@needs_chromium
def test_figures_per_edge(browser, tmp_path):
    trajectory = played_trajectory(metrics=[])
    edges = np.array([20, 25, 30])
    _open(browser, ef.animate_causal_plane(trajectory, tmp_path / "plane.html", per="edge"))
    titles = "Bokeh.documents.map(d => [d.roots()[0].below[0].axis_label, d.roots()[0].left[0].axis_label])"
    for per, divisor, unit in (("edge", edges, "bits per edge"), ("layer", 1, "bits")):
        if per == "layer":
            _choose(browser, "scale", per)
        held = np.transpose(_source(browser, "points", "x", "y"))
        np.testing.assert_allclose(held, expected_of(trajectory)[0] / np.reshape(divisor, (-1, 1)), rtol=1e-6)
        np.testing.assert_allclose(_source(browser, "markers", "y"), trajectory.ei[0] / divisor, rtol=1e-6)
        assert sorted(map(tuple, browser.value(titles))) == [
            (f"EI / √2  [{unit}]", f"(sensitivity + degeneracy) / √2  [{unit}]"),
            ("training step", f"EI [{unit}]"),
        ]


@needs_chromium
def test_a_panel_for_each_layer(browser, tmp_path):
    browser.resize(900, 500)
    trajectory = played_trajectory(5, 60, names=[LONG.format(k) for k in range(60)])
    _open(browser, ef.animate_causal_plane(trajectory, tmp_path / "plane.html"))
    assert "coloured by depth" in browser.value("layers.querySelector('legend').textContent")
    _choose(browser, "arrangement", "panels")
    browser.wait_for("eiPlayer.positions().length > 2")
    _slide(browser, 3)
    shown = browser.value("eiPlayer.positions()")
    # Of sixty those alone are drawn that are in sight.
    assert 3 <= len(shown) < 60
    for one in shown:
        k = trajectory.layers.index(one["layer"])
        np.testing.assert_allclose(one["at"][0], expected_of(trajectory)[3, k], rtol=1e-6)
    assert browser.value("[...panels.querySelectorAll('figure')].length") == 60
    browser.value("panels.scrollTo(0, 1e6), true")
    last = f"eiPlayer.positions().some(({{ layer }}) => layer === '{trajectory.layers[-1]}')"
    browser.wait_for(last)
    _choose(browser, "arrangement", "together")
    assert len(browser.value("eiPlayer.positions()")) == 60


@needs_chromium
def test_pointing_at_a_layer_says_what_is_known(browser, tmp_path):
    trajectory = with_a_bracket()
    for index, k in ((0, 0), (3, 1)):
        trajectory.ei[index, k] = 4.0
        trajectory.sensitivity[index, k], trajectory.degeneracy[index, k] = 25.0, 21.0
        trajectory.ei_low[index, k], trajectory.ei_high[index, k] = 3.5, 4.25
    _open(browser, write_player({"seed0": trajectory}, tmp_path / "plane.html"))
    said = []
    for index, layer in ((0, "fc0"), (3, "fc1")):
        _slide(browser, index)
        place = f"eiPlayer.positions().find(({{ layer }}) => layer === '{layer}').onScreen"
        browser.point_at(*np.mean(browser.value(place), axis=0))
        browser.settle()
        assert browser.value("tip.hidden") is False
        said.append(browser.value("tip.textContent").split("\n"))
    assert said[0] == [
        "fc0",
        "seed0, step 0",
        "EI 4 bits, 95 % interval 3.5 to 4.25",
        "sensitivity 25 bits",
        "degeneracy 21 bits",
    ]
    assert said[1][:3] == ["fc1", "seed0, step 30", "EI between 3.5 and 4.25 bits, known by bounds alone"]
    browser.point_at(640, 700)
    assert browser.value("tip.hidden") is True


def _width_of(browser, text):
    """Pixels that the title of an axis takes along it."""
    context = "document.createElement('canvas').getContext('2d')"
    return browser.value(
        f"(c => (c.font = '12px helvetica, arial, sans-serif', c.measureText('{text}').width))({context})"
    )


@needs_chromium
@pytest.mark.parametrize(("n_steps", "n_layers"), [pytest.param(1, 1, marks=pytest.mark.slow), (4, 60)])
def test_it_keeps_its_shape(n_steps, n_layers, browser, tmp_path):
    names = [LONG.format(k) for k in range(n_layers)]
    _open(browser, ef.animate_causal_plane(played_trajectory(n_steps, n_layers, names=names), tmp_path / "plane.html"))
    assert browser.value("[...document.querySelectorAll('#layers label')].map(label => label.title)") == names
    for width, height in ((390, 844), (370, 900), (1100, 640), (1280, 720), (2560, 1300)):
        browser.resize(width, height)
        browser.settle()
        assert browser.value("document.documentElement.scrollWidth <= innerWidth")
        box = "(({ x, y, width, height }) => [x, y, width, height])"
        boxes = browser.value(f"[plane, losses].map(figure => figure.getBoundingClientRect()).map({box})")
        (x, y, plane_width, plane_height), (beside, below, _, _) = boxes
        assert plane_height >= 280
        assert plane_width >= 0.4 * width
        # One under the other on phones, side by side elsewhere; everything is seen without scrolling there.
        assert (below >= y + plane_height) if width < 900 else (beside >= x + plane_width)
        if width >= 900:
            assert browser.value("document.documentElement.scrollHeight <= innerHeight")
        # Titles fit along their axes; at either end of the vertical one there are thirty pixels more, for the tools.
        (_, _, across), (_, _, up) = browser.value(_FRAME)
        assert across >= _width_of(browser, "EI / √2  [bits per edge]")
        assert up + 60 >= _width_of(browser, "(sensitivity + degeneracy) / √2  [bits per edge]")


@needs_chromium
def test_light_and_dark(browser, tmp_path):
    path = ef.animate_causal_plane(played_trajectory(), tmp_path / "plane.html")
    browser.prefer("dark")
    _open(browser, path)
    colour = "Bokeh.documents.map(d => d.roots()[0].left[0].axis_label_text_color)"
    ink = "getComputedStyle(document.body).color"
    assert browser.pixels().mean() < 60
    assert browser.value(f"{colour}.every(c => c === {ink})")
    browser.click("#theme")
    assert browser.pixels().mean() > 200
    assert browser.value(f"{colour}.every(c => c === {ink})")
    assert browser.value("theme.textContent") == "Dark"


@needs_chromium
def test_names_are_shown_as_they_are(browser, tmp_path):
    names = ["a < b & c", "</script><script>alert(1)</script>", "<!-- <script>"]
    runs = {"</title>": played_trajectory(names=names), "@contents@": played_trajectory(names=names, seed=1)}
    _open(browser, write_player(runs, tmp_path / "plane.html", title="</h1> & @style@"))
    texts = "[...document.querySelectorAll('{} li label')].map(label => label.textContent)"
    assert browser.value(texts.format("#layers")) == names
    assert browser.value(texts.format("#runs")) == list(runs)
    assert (
        browser.value("document.querySelector('h1').textContent")
        == browser.value("document.title")
        == "</h1> & @style@"
    )


@needs_chromium
def test_players_share_a_script_beside_them(one_browser, tmp_path):
    (tmp_path / "bokeh.min.js").write_text(script_of_bokeh(), encoding="utf-8")
    path = write_player({"": played_trajectory()}, tmp_path / "plane.html", script="bokeh.min.js")
    assert path.stat().st_size < 100_000
    one_browser.requests.clear()
    _open(one_browser, path)
    assert len(_source(one_browser, "points", "x")) == 3
    assert one_browser.requests == [path.as_uri(), (tmp_path / "bokeh.min.js").as_uri()]
    assert one_browser.complaints == []


@needs_chromium
@pytest.mark.slow
def test_five_thousand_steps_of_sixty_layers_play(browser, tmp_path):
    trajectory = played_trajectory(5000, 60, metrics=[])
    trajectory.ei_low, trajectory.ei_high = trajectory.ei - 0.5, trajectory.ei + 0.5
    path = ef.animate_causal_plane(trajectory, tmp_path / "plane.html")
    assert path.stat().st_size < 16e6
    _open(browser, path)
    for index in (0, 4999, 2345):
        _slide(browser, index)
        held = np.transpose(_source(browser, "points", "x", "y"))
        np.testing.assert_allclose(held, expected_of(trajectory)[index], rtol=1e-5, atol=1e-5)
    frames = (
        "(async () => { const begun = performance.now(); for (let k = 0; k < 20; k++) {"
        " eiPlayer.show(k); await new Promise(requestAnimationFrame); } return (performance.now() - begun) / 20; })()"
    )
    assert browser.value(frames) < 500
