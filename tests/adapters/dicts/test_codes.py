"""Quantized weights: codes are multiplied by their scale, or refused by name."""

import numpy as np
import pytest
import torch

import ei_fast as ef

RNG = np.random.default_rng(0)
WEIGHT = RNG.normal(size=(6, 256))


def rows_of_int8():
    largest = np.abs(WEIGHT).max(axis=1)
    return {
        "fc.weight": np.round(WEIGHT / largest[:, None] * 127).astype(np.int8),
        "fc.SCB": largest.astype(np.float32),
    }


def scaled(shape, name="weight_scale", dtype=torch.float8_e4m3fn):
    rows, columns = (n // m for n, m in zip(WEIGHT.shape, shape, strict=True))
    blocks = np.abs(WEIGHT).reshape(shape[0], rows, shape[1], columns).max(axis=(1, 3)) / 100
    codes = WEIGHT / np.repeat(np.repeat(blocks, rows, 0), columns, 1)
    codes = torch.tensor(codes).to(dtype) if dtype.is_floating_point else torch.tensor(codes).round().to(dtype)
    scale = torch.tensor(blocks)
    return {"fc.weight": codes, f"fc.{name}": scale.reshape(-1) if shape == (1, 1) else scale}


@pytest.mark.parametrize(
    ("state", "error"),
    [
        (rows_of_int8(), 0.02),
        (scaled((1, 1)), 0.25),
        (scaled((6, 1)), 0.25),
        (scaled((1, 2), "weight_scale_inv"), 0.25),
        (scaled((1, 1), "scale_weight"), 0.25),
        (scaled((6, 1), "scales", torch.int8), 0.02),
        (scaled((6, 8), "weight_scale", torch.int8), 0.02),
    ],
    ids=["SCB", "one scale", "rows", "blocks", "ComfyUI", "int8", "groups"],
)
@pytest.mark.parametrize("order", [None, ["fc"]])
def test_codes_are_multiplied_by_their_scale(state, error, order):
    """Their weights are those that were quantised, to half a step."""
    network = ef.as_network(state, order=order)
    assert np.abs(network[0].weight - WEIGHT.T).max() < error
    assert network.notes[0][0] == "fc"
    assert "codes times" in network.notes[0][1]


def test_codes_with_a_zero_point():
    codes = RNG.integers(0, 255, (3, 4)).astype(np.uint8)
    state = {"fc.weight": codes, "fc.scale": np.full(3, 0.5), "fc.zero_point": np.array([128, 100, 7])}
    np.testing.assert_array_equal(
        ef.as_network(state)[0].weight, (0.5 * (codes - np.array([[128.0], [100.0], [7.0]]))).T
    )


def test_scales_that_fit_no_way_are_refused():
    state = {"fc.weight": np.ones((6, 10), dtype=np.int8), "fc.weight_scale": np.ones((4, 3))}
    with pytest.raises(ValueError, match=r"'weight_scale' of the layer 'fc' must be one number, .* Got shape \(4, 3\)"):
        ef.as_network(state)
    # Two blocks of 192 rows are of 128 or of 96.
    state = {"fc.weight": np.ones((192, 8), dtype=np.int8), "fc.weight_scale": np.ones((2, 1))}
    with pytest.raises(ValueError, match="one for each block"):
        ef.as_network(state)
    # What a scale beside floating-point numbers means is not known.
    with pytest.raises(ValueError, match="beside a weight of type float64, and what that does to it is not known"):
        ef.as_network({"fc.weight": np.ones((3, 3)), "fc.weight_scale": np.ones(3)}, order=["fc"])


@pytest.mark.parametrize(
    "entries",
    [
        *(("qweight", "qzeros", "scales", "g_idx"), ("qweight", "scales"), ("weight_packed",)),
        *(("W_q", "scale", "zero"), ("weight._data", "weight._scale"), ("weight.int_data",), ("weight.CB",)),
    ],
)
def test_packed_codes_are_refused_by_name(entries):
    state = {f"fc.{entry}": np.ones((4, 4), dtype=np.int32) for entry in entries}
    for order in (None, ["fc"]):
        with pytest.raises(
            ValueError, match=r"The layer 'fc' is quantised.* Save its weights as floating-point numbers"
        ):
            ef.as_network(state, order=order)


def test_scales_that_are_codes_and_codes_that_may_be_packed():
    """Exponents of 8 bits stand for powers of 2; two codes of 4 bits fit into one of 8."""
    state = {"fc.weight": torch.ones(4, 64).to(torch.float8_e4m3fn), "fc.weight_scale": torch.full((4, 2), 127).byte()}
    with pytest.raises(ValueError, match=r"'weight_scale' of the layer 'fc' is of type uint8: a code itself"):
        ef.as_network(state)
    packed = {"fc.weight": np.ones((4, 32), dtype=np.uint8), "fc.scales": np.ones((4, 2)), "fc.zeros": np.ones((4, 2))}
    with pytest.raises(ValueError, match="two codes of 4 bits may be packed in each"):
        ef.as_network(packed, order=["fc"])


def test_four_bits_are_refused_by_name():
    state = {"fc.weight": np.ones((8, 1), dtype=np.uint8), "fc.weight.absmax": np.ones(1)}
    state["fc.weight.quant_state.bitsandbytes__nf4"] = np.ones(3, dtype=np.uint8)
    for order in (None, ["fc"]):
        with pytest.raises(ValueError, match="The layer 'fc' is quantised in 4 bits by bitsandbytes"):
            ef.as_network(state, order=order)


def test_integers_are_measured_and_said_to_be_so(capsys):
    state = {"fc.weight": np.arange(6, dtype=np.int8).reshape(2, 3)}
    ef.describe(state)
    assert "note on fc: The weights are stored as integers, and measured as they are" in capsys.readouterr().out
    report = ef.analyze(state, random_state=0)
    assert "integer weights" in report[0].flags
    assert "codes of a quantised layer" in report[0].meaning("integer weights")
    assert ef.as_network({"fc.weight": np.eye(3, dtype=bool)}).notes
    assert "integer weights" not in ef.analyze({"fc.weight": 1.0 * state["fc.weight"]}, random_state=0)[0].flags
