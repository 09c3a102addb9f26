"""What a profile looks like."""

import numpy as np
import pytest

import ei_fast as ef


@pytest.fixture(scope="module")
def profile():
    return ef.information_profile(np.random.default_rng(0).normal(size=(4, 3)), random_state=0)


def test_a_frame_has_a_row_for_each_neuron(profile):
    frame = profile.to_frame()
    assert list(frame["side"]) == ["input"] * 4 + ["output"] * 3
    assert list(frame["neuron"]) == [0, 1, 2, 3, 0, 1, 2]
    np.testing.assert_array_equal(frame["information"][:4], profile.input_information)
    np.testing.assert_array_equal(frame["information"][4:], profile.output_information)
    np.testing.assert_array_equal(frame["conditional_information"][:4], profile.conditional_information)
    np.testing.assert_array_equal(frame["information_low"][:4], profile.input_information_interval[:, 0])
    assert frame["conditional_information"][4:].isna().all()


def test_it_is_printed_as_a_table_and_shown_in_a_line(profile):
    text = str(profile)
    assert text.splitlines()[0] == "layer0, 4 -> 3"
    assert f"{profile.synergy:.3f}" in text
    assert repr(profile).startswith("InformationProfile('layer0', 4 -> 3, ei=")
    assert "\n" not in repr(profile)


def test_it_says_what_the_figures_say(profile):
    assert f"{profile.ei:.3g} bits" in profile.explain()
    flagged = ef.information_profile(np.random.default_rng(0).normal(size=(12, 10)), random_state=0, n_samples=4096)
    assert "[undersampled]" in flagged.explain()
    assert "flags: undersampled" in str(flagged)


def test_the_picture_shows_every_neuron(profile):
    figure = profile.plot()
    of_inputs, of_outputs = figure.axes[1:]
    given, alone = of_inputs.lines
    np.testing.assert_array_equal(given.get_ydata(), profile.conditional_information)
    np.testing.assert_array_equal(alone.get_ydata(), profile.input_information)
    np.testing.assert_array_equal(of_outputs.lines[0].get_ydata(), profile.output_information)


def test_pictures_of_something_else_are_refused(profile):
    with pytest.raises(TypeError, match="'profile' parameter of plot_profile must be an InformationProfile"):
        ef.plot_profile(ef.analyze(np.eye(2)))
    with pytest.raises(TypeError, match="'ax' parameter of plot_profile"):
        profile.plot(ax=3)


def test_undefined_degrees_are_drawn_and_printed():
    nothing = ef.information_profile(np.zeros((2, 2)))
    assert "nan" in str(nothing)
    nothing.plot().canvas.draw()
