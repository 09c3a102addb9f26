"""Keys must tell every two states apart, and forget no neuron."""

import numpy as np
import pytest

from ei_fast.kernels.keys import DROPPED, NEVER, pack_codes


def _keys(codes, code_width, outside=NEVER):
    keys = np.empty(codes.shape[1], np.uint64)
    pack_codes(codes, code_width, outside, keys)
    return keys


def test_short_codes_are_their_own_key():
    codes = np.array([[1, 7], [2, 0], [3, 5]], np.uint16)
    np.testing.assert_array_equal(_keys(codes, 3), [1 | 2 << 3 | 3 << 6, 7 | 0 << 3 | 5 << 6])


@pytest.mark.parametrize(("n_out", "code_width"), [(21, 3), (22, 3), (30, 3), (128, 3), (5, 16), (65, 1), (40, 13)])
def test_every_single_neuron_changes_the_key(n_out, code_width):
    codes = np.zeros((n_out, 1 + n_out), np.uint16)
    codes[np.arange(n_out), 1 + np.arange(n_out)] = 1
    assert len(np.unique(_keys(codes, code_width))) == n_out + 1


@pytest.mark.parametrize("n_out", [3, 40])
def test_a_sample_with_an_output_outside_is_dropped(n_out):
    codes = np.random.default_rng(0).integers(0, 9, (n_out, 500)).astype(np.uint16)
    dropped = (codes == 8).any(axis=0)
    keys = _keys(codes, 4, outside=8)
    np.testing.assert_array_equal(keys == DROPPED, dropped)
    np.testing.assert_array_equal(keys[~dropped], _keys(codes, 4)[~dropped])


@pytest.mark.parametrize(("n_out", "code_width"), [(4, 3), (30, 3), (9, 8)])
def test_as_many_keys_as_states(n_out, code_width):
    codes = np.random.default_rng(0).integers(0, 2, (n_out, 3000)).astype(np.uint16)
    assert len(np.unique(_keys(codes, code_width))) == len(np.unique(codes, axis=1).T)


@pytest.mark.parametrize(("n_out", "code_width"), [(64, 1), (32, 2), (16, 4), (8, 8), (4, 16), (63, 1), (21, 3)])
def test_outputs_all_in_their_last_bin_are_not_left_out(n_out, code_width):
    codes = np.full((n_out, 3), 2**code_width - 1, np.uint16)
    codes[0, 1] = 0
    keys = _keys(codes, code_width)
    assert (keys != DROPPED).all()
    assert keys[0] == keys[2] != keys[1]
