"""The counter-based generator against Python's integers and against SplitMix64's published outputs."""

import naive
import numpy as np
import pytest

from ei_fast.kernels.uniforms import GAMMA, PAGE, fill_cells, fill_uniforms, mix64

KEYS = np.array([0x0123456789ABCDEF, 2**64 - 1, 0, 1, 2**63], dtype=np.uint64)


def test_splitmix64_gives_its_published_outputs():
    # First outputs for seed 1234567, as in the reference implementation by Vigna and in Java's SplittableRandom.
    state = np.uint64(1234567)
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    got = [int(mix64(state + GAMMA * np.uint64(n))) for n in range(1, 5)]
    assert got == expected


# Within a page, over the ends of pages, and where the count has left 32 bits.
@pytest.mark.parametrize("first", [0, 1000, PAGE - 1, 2**33 - 5])
@pytest.mark.parametrize("n_in", [1, 2, 5])
def test_uniforms_equal_the_oracle_bit_for_bit(n_in, first):
    keys = KEYS[:n_in]
    out = np.empty((n_in, 40), np.float32)
    fill_uniforms(keys, first, 40, out)
    expected = [[naive.uniform(keys, i, first + t) for t in range(40)] for i in range(n_in)]
    np.testing.assert_array_equal(out, np.array(expected))


def test_uniforms_do_not_depend_on_the_split():
    whole = np.empty((5, 4000), np.float32)
    fill_uniforms(KEYS, 3, 4000, whole)
    first, second = np.empty((5, 1300), np.float32), np.empty((5, 2700), np.float32)
    fill_uniforms(KEYS, 3, 1300, first)
    fill_uniforms(KEYS, 1303, 2700, second)
    np.testing.assert_array_equal(whole, np.hstack([first, second]))


@pytest.mark.parametrize("bins", [2, 3, 8, 32_768])
def test_cells_equal_the_oracle(bins):
    first = PAGE - 3
    cells = np.empty((6, 5), np.int32)
    fill_cells(KEYS, first, bins, cells)
    for c in range(6):
        for i in range(5):
            assert cells[c, i] == (naive.word(KEYS, i, first + c) * bins) >> 32
