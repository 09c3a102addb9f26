"""The one bin rule."""

import naive
import numpy as np
import pytest

from ei_fast.network.bins import bin_edges, bin_index, check_bins, check_range, check_ranges


@pytest.mark.parametrize("bins", [2, 3, 7, 8, 10, 49, 64, 100, 256])
def test_every_edge_belongs_to_the_bin_above_it(bins):
    edges = bin_edges((0.0, 1.0), bins)
    np.testing.assert_array_equal(edges, np.arange(bins + 1) / bins)
    np.testing.assert_array_equal(bin_index(edges[:-1], edges), np.arange(bins))
    np.testing.assert_array_equal(bin_index(np.nextafter(edges[1:], -1), edges), np.arange(bins))


def test_the_upper_end_and_what_lies_outside_go_to_the_outermost_bins():
    edges = bin_edges((-1.0, 1.0), 8)
    values = [-np.inf, -7.0, -1.0, 1.0, 7.0, np.inf]
    assert bin_index(values, edges).tolist() == [0, 0, 0, 7, 7, 7]


@pytest.mark.parametrize("limits", [(-1.0, 1.0), (-0.3, 0.3), (0.1, 0.7)])
def test_edges_are_mirrored_and_keep_their_ends(limits):
    edges = bin_edges(limits, 10)
    assert (edges[0], edges[-1]) == limits
    if limits[0] == -limits[1]:
        np.testing.assert_array_equal(edges, -edges[::-1])


def test_same_bins_as_the_oracle():
    values = np.random.default_rng(0).uniform(-2, 2, 10_000)
    np.testing.assert_array_equal(bin_index(values, bin_edges((-1.5, 1.0), 9)), naive.bins_of(values, (-1.5, 1.0), 9))


def test_accepted_bins():
    assert check_bins(8, "f") == (8, 8)
    assert check_bins((np.int64(4), 32_768), "f") == (4, 32_768)


@pytest.mark.parametrize("bins", [8.0, "8", True, None, (8,), (8, 8, 8), (8, 2.0), np.bool_(True)])
def test_bins_of_a_wrong_type(bins):
    with pytest.raises(TypeError, match=r"'bins' parameter of f must be an integer from 2 to 32768.* Got"):
        check_bins(bins, "f")


@pytest.mark.parametrize("bins", [0, 1, -3, 10**6, (8, 1)])
def test_bins_of_a_wrong_value(bins):
    with pytest.raises(ValueError, match=r"'bins' parameter of f must be .* Got"):
        check_bins(bins, "f")


@pytest.mark.parametrize(
    "limits", [(1.0, 0.0), (1.0, 1.0), (0.0, np.inf), (np.nan, 1.0), (-1e308, 1e308), (1.0, np.nextafter(1, 2))]
)
def test_ranges_of_a_wrong_value(limits):
    with pytest.raises(ValueError, match=r"'in_range' parameter of f must be two finite numbers \(low, high\)"):
        check_range(limits, "in_range", "f")


@pytest.mark.parametrize("limits", [5, "ab", (0,), (0, 1, 2), (0, "1"), None, (0, 1j)])
def test_ranges_of_a_wrong_type(limits):
    with pytest.raises(TypeError, match=r"'in_range' parameter of f must be .* Got"):
        check_range(limits, "in_range", "f")


def test_a_reversed_range_is_told_how_to_mend_it():
    with pytest.raises(ValueError, match="Swap the two ends"):
        check_range((1.0, -1.0), "out_range", "f")


@pytest.mark.parametrize("limits", [5, None, "", [], (), np.empty(0)])
def test_what_is_no_range_for_any_number_of_neurons(limits):
    with pytest.raises(TypeError, match=r"'in_range' parameter of f must be two finite numbers"):
        check_ranges(limits, 3, "in_range", "f")
