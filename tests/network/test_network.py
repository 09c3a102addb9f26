"""Layers, functions and networks: what is accepted, what is derived, what is refused."""

import numpy as np
import pytest

import ei_fast as ef


def test_a_layer_keeps_a_float64_copy_that_cannot_be_written():
    weight = np.ones((3, 2), np.float32)
    layer = ef.Layer(weight, [0, 1], "tanh", name="fc1")
    weight[:] = 5
    assert layer.weight.dtype == np.float64
    assert layer.weight.max() == 1.0
    assert (layer.n_in, layer.n_out, layer.name) == (3, 2, "fc1")
    assert layer.bias.tolist() == [0.0, 1.0]
    with pytest.raises(ValueError, match="read-only"):
        layer.weight[0, 0] = 1.0


@pytest.mark.parametrize(
    "weight",
    [
        np.ones((2, 3), ">f4"),
        np.ones((2, 3), np.int8),
        np.asfortranarray(np.ones((2, 3))),
        [[True, False, True]] * 2,
        np.ones((2, 3), np.float16),
    ],
)
def test_any_real_array_is_a_weight(weight):
    layer = ef.Layer(weight)
    assert layer.weight.flags.c_contiguous
    np.testing.assert_array_equal(layer.weight, np.asarray(weight, dtype=np.float64))


BAD_LAYERS = [
    (
        {"weight": np.ones(3)},
        ValueError,
        r"'weight' parameter of Layer 'x' must have shape \(n_in, n_out\).* Got shape \(3,\)",
    ),
    ({"weight": np.ones((0, 3))}, ValueError, r"at least one of each.* Got shape \(0, 3\)"),
    ({"weight": np.ones((2, 3, 4))}, ValueError, r"Got shape \(2, 3, 4\)"),
    (
        {"weight": [[1.0, np.nan]]},
        ValueError,
        r"'weight' parameter of Layer 'x' must be finite, neither NaN nor inf. Got nan at index \(0, 1\) \(1 such",
    ),
    ({"weight": [[np.inf], [-np.inf]]}, ValueError, r"Got inf at index \(0, 0\) \(2 such entries\)"),
    (
        {"weight": [[1j]]},
        ValueError,
        "must be an array of real numbers. Got complex128 instead. Complex data not supported",
    ),
    ({"weight": [["a"]]}, TypeError, "must be an array of real numbers"),
    ({"weight": [[1.0], [1.0, 2.0]]}, TypeError, "must be an array of real numbers"),
    (
        {"weight": [[1.0]], "bias": [1.0, 2.0]},
        ValueError,
        r"'bias' parameter of Layer 'x' must have shape \(1,\).* Got shape \(2,\)",
    ),
    ({"weight": [[1.0]], "bias": [np.nan]}, ValueError, "'bias' parameter of Layer 'x' must be finite"),
    ({"weight": [[1.0]], "activation": "swoosh"}, ValueError, "Layer 'x': The activation 'swoosh' is not known"),
    ({"weight": [[1.0]], "activation": 3}, TypeError, "Layer 'x': .* must be a name or a function"),
    ({"weight": [[1.0]], "out_range": (2, 1)}, ValueError, "'out_range' parameter of Layer 'x' must be"),
]


@pytest.mark.parametrize(("params", "error", "message"), BAD_LAYERS)
def test_bad_layers(params, error, message):
    with pytest.raises(error, match=message):
        ef.Layer(**params, name="x")


def test_sparse_weights_are_told_to_be_dense():
    from scipy.sparse import eye_array

    with pytest.raises(TypeError, match=r"must be a dense array.*\.toarray\(\)"):
        ef.Layer(eye_array(3))


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"fn": 3}, TypeError, "'fn' parameter of Function 'f' must be callable"),
        ({"n_in": 0}, ValueError, "'n_in' parameter of Function 'f' must be an integer >= 1. Got 0"),
        ({"n_out": 2.0}, TypeError, "'n_out' parameter of Function 'f' must be an integer >= 1. Got 2.0"),
        ({"out_range": (1, 0)}, ValueError, "'out_range' parameter of Function 'f'"),
        ({"in_range": (0, np.nan)}, ValueError, "'in_range' parameter of Function 'f'"),
        ({"name": 3}, TypeError, "'name' parameter of Function 3 must be a non-empty string"),
    ],
)
def test_bad_functions(params, error, message):
    with pytest.raises(error, match=message):
        ef.Function(**{"fn": np.sin, "n_in": 2, "n_out": 2, "out_range": (0, 1), "name": "f"} | params)


@pytest.mark.parametrize(
    ("fn", "error", "message"),
    [
        (lambda x: x[:, :1], ValueError, r"Function 'f' must return an array of shape \(\d+, 2\)"),
        (lambda x: x * np.nan, ValueError, "Function 'f' returned NaN"),
        (lambda x: x * 1j, TypeError, "Function 'f' must return real numbers"),
    ],
)
def test_functions_that_return_nonsense(fn, error, message):
    with pytest.raises(error, match=message):
        ef.analyze(ef.Function(fn, 2, 2, (0.0, 1.0), name="f"))


def test_a_functions_own_error_comes_through():
    def fails(x):
        raise RuntimeError("no such device")

    with pytest.raises(RuntimeError, match="no such device") as raised:
        ef.analyze(ef.Function(fails, 2, 2, (0.0, 1.0), name="block"))
    assert any("block" in note for note in raised.value.__notes__)


def test_chaining():
    net = ef.Network(
        [ef.Layer(np.ones((3, 4))), ef.Function(lambda x: x[:, :2], 4, 2, (0, 1)), ef.Layer(np.ones((2, 5)))]
    )
    assert [layer.name for layer in net] == ["layer0", "layer1", "layer2"]
    with pytest.raises(
        ValueError, match=r"Layer 1 \('b'\) must take as many inputs as layer 0 \('a'\) has outputs, 4. Got 3"
    ):
        ef.Network([ef.Layer(np.ones((3, 4)), name="a"), ef.Layer(np.ones((3, 4)), name="b")])
    with pytest.raises(ValueError, match=r"Transposed the widths chain.*weight\.T"):
        ef.Network([ef.Layer(np.ones((4, 3))), ef.Layer(np.ones((5, 4)))])
    with pytest.raises(ValueError, match="at least one layer"):
        ef.Network([])
    with pytest.raises(TypeError, match="Got ndarray at index 0"):
        ef.Network([np.ones((2, 2))])


def test_names_become_unique():
    layer = ef.Layer(np.eye(2), name="fc1")
    assert [one.name for one in ef.Network([layer, layer, ef.Layer(np.eye(2), name="fc1#2"), layer])] == [
        "fc1",
        "fc1#2",
        "fc1#2#2",
        "fc1#3",
    ]


def _ranges(*layers, **given):
    return ef.Network([*layers], given.pop("network_range", (0.0, 1.0))).ranges(**given)


def test_the_hull_of_interval_arithmetic_feeds_the_next_layer():
    weight = np.array([[1.0, -2.0], [3.0, 0.5]])
    layers = [
        ef.Layer(weight, activation="tanh"),
        ef.Layer(weight, [1.0, 0.0], "linear"),
        ef.Layer(weight, activation="relu"),
    ]
    ranges = _ranges(*layers, out_range="hull")
    # Second layer on (-1, 1): 1 ± 4 and ± 2.5. Third on (-3, 5): up to 20, ReLU from 0.
    assert ranges == [((0.0, 1.0), (-1.0, 1.0)), ((-1.0, 1.0), (-3.0, 5.0)), ((-3.0, 5.0), (0.0, 20.0))]


def test_given_ranges_win():
    layer = ef.Layer(np.eye(2), activation="relu", out_range=(0.0, 7.0))
    assert _ranges(layer) == [((0.0, 1.0), (0.0, 7.0))]
    assert _ranges(layer, in_range=(-1.0, 2.0), out_range=(0.0, 3.0)) == [((-1.0, 2.0), (0.0, 3.0))]
    block = ef.Function(np.sin, 2, 2, (-1.0, 1.0), in_range=(0.0, 6.0))
    assert _ranges(layer, block) == [((0.0, 1.0), (0.0, 7.0)), ((0.0, 6.0), (-1.0, 1.0))]


def test_a_hull_of_one_point_is_widened_and_everything_is_zero():
    dead = ef.Layer(np.ones((2, 3)), [-5.0] * 3, "relu")
    assert _ranges(dead) == [((0.0, 1.0), (-0.5, 0.5))]
    for layer in (dead, ef.Layer(np.zeros((2, 2)), [3.0, 3.0], "linear")):
        report = ef.analyze(layer)[0]
        assert (report.ei, report.sensitivity, report.degeneracy, report.flags) == (0.0, 0.0, 0.0, ("constant",))


def test_overflow_is_refused_with_the_layers_name():
    huge = ef.Layer(np.full((4, 2), 1e308), activation="relu", name="big")
    with pytest.raises(
        ValueError, match=r"Layer 1 \('big'\): its pre-activations overflow on the input range \(0.0, 1.0\)"
    ):
        ef.analyze([np.ones((3, 4)), huge])
