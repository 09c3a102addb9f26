"""What is done to a wide layer takes no copy of its weights."""

import tracemalloc

import numpy as np
import pytest

import ei_fast as ef
from ei_fast.network.column_blocks import blocks_of

WIDE = ef.Layer(np.random.default_rng(0).normal(size=(1000, 1500)), name="wide")


def _peak(call):
    """What a call returns, and the most memory that it took beside that."""
    call()
    tracemalloc.start()
    try:
        result = call()
        return result, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "other", [WIDE.named("other"), WIDE.over((-1.0, 1.0)), ef.Network([WIDE, WIDE.over((0.0, 2.0))], restarts=[1])[1]]
)
def test_the_same_layer_under_another_name_or_range_shares_its_arrays(other):
    assert np.shares_memory(other.weight, WIDE.weight)
    assert np.shares_memory(other.bias, WIDE.bias)
    assert not other.weight.flags.writeable
    assert other is not WIDE


def test_what_is_changed_of_a_layer_is_checked_and_the_layer_stays():
    other = WIDE.named("other").over((0, 2))
    assert (other.name, other.in_range, WIDE.name, WIDE.in_range) == ("other", (0.0, 2.0), "wide", None)
    assert all(type(end) is float for end in other.in_range)
    with pytest.raises(ValueError, match="'in_range' parameter of Layer 'wide'"):
        WIDE.over((1.0, 0.0))
    with pytest.raises(TypeError, match="name"):
        WIDE.named("")


@pytest.mark.parametrize(
    "call",
    [
        lambda: WIDE.preactivation_hull((0.0, 1.0)),
        lambda: WIDE.output_image((-1.0, 1.0)),
        lambda: WIDE.size_of_sums(np.ones((2, 1000))),
        lambda: WIDE.named("other"),
    ],
    ids=["hull", "image", "sums", "named"],
)
def test_no_copy_of_the_weights_is_made(call):
    _, peak = _peak(call)
    assert peak < WIDE.weight.nbytes / 4


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (3, 1), (40, 2), (40, 3), (784, 129), (300, 1000), (70_000, 3)])
@pytest.mark.parametrize("in_range", [(0.0, 1.0), (-1.0, 2.0), "each"])
def test_the_hull_has_the_bits_that_it_has_of_copies(shape, in_range):
    rng = np.random.default_rng(sum(shape))
    layer = ef.Layer(rng.normal(size=shape), rng.normal(size=shape[1]))
    low, high = in_range if in_range != "each" else (-rng.uniform(size=(shape[0], 1)), rng.uniform(size=(shape[0], 1)))
    given = in_range if in_range != "each" else np.hstack([low, high])
    positive, negative = np.maximum(layer.weight, 0.0), np.minimum(layer.weight, 0.0)
    smallest, largest = layer.preactivation_hull(given)
    np.testing.assert_array_equal(smallest, layer.bias + (positive * low + negative * high).sum(axis=0))
    np.testing.assert_array_equal(largest, layer.bias + (positive * high + negative * low).sum(axis=0))


@pytest.mark.parametrize("n_rows", [1, 7, 768, 100_000])
@pytest.mark.parametrize("n_columns", [1, 2, 3, 5, 64, 1000])
def test_blocks_are_all_columns_and_none_stands_alone(n_columns, n_rows):
    blocks = list(blocks_of(n_columns, n_rows))
    assert [column for block in blocks for column in range(n_columns)[block]] == list(range(n_columns))
    assert min(block.stop - block.start for block in blocks) >= min(2, n_columns)


def test_weights_whose_sum_is_no_number_are_taken_where_each_is_one():
    layer = ef.Layer([[1e308], [1e308]])
    assert layer.weight.tolist() == [[1e308], [1e308]]
    for bad in (np.nan, np.inf, -np.inf):
        with pytest.raises(ValueError, match=r"must be finite, neither NaN nor inf.*\(1 such entry\)"):
            ef.Layer([[1.0], [bad]])
    with pytest.raises(ValueError, match=r"\(2 such entries\)"):
        ef.Layer([[np.inf], [-np.inf]])
