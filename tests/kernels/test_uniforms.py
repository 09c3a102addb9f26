"""The counter-based generator against Python's integers and against SplitMix64's published outputs."""

import naive
import numpy as np
import pytest

from ei_fast.kernels.uniforms import (
    GAMMA,
    PAGE,
    _page_keys,
    fill_cells,
    fill_uniforms,
    fill_uniforms_at,
    fill_uniforms_of_cells,
    mix64,
    word_of,
)

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


@pytest.mark.parametrize("offset", [0, 1, PAGE - 1])
@pytest.mark.parametrize("page", [0, 3, 2**23])
def test_words_equal_the_oracle(page, offset):
    for i, key in enumerate(KEYS):
        assert int(word_of(*_page_keys(key, page), offset)) == naive.word(KEYS, i, page * PAGE + offset)


def _uniforms(samples):
    return np.array([[naive.uniform(KEYS, i, sample) for sample in samples] for i in range(len(KEYS))])


def test_uniforms_from_a_column_on():
    out = np.full((5, 12), 9.0, np.float32)
    fill_uniforms_at(KEYS, PAGE - 2, 6, out, 4)
    np.testing.assert_array_equal(out[:, 4:10], _uniforms(range(PAGE - 2, PAGE + 4)))
    assert (out[:, [*range(4), 10, 11]] == 9.0).all()


# Cells that follow each other in the stream, that leave gaps, and of which only the last two do.
@pytest.mark.parametrize("firsts", [[5, 15, 25, 35], [5, 2000, 2010, 9000], [5, 40, 50, 60]])
@pytest.mark.parametrize(("origin", "size"), [(0, 40), (0, 10), (7, 16), (13, 3), (10, 30), (39, 1)])
def test_uniforms_of_cells(firsts, origin, size):
    m, out = 10, np.full((5, 41), 9.0, np.float32)
    fill_uniforms_of_cells(KEYS, np.array(firsts), m, origin, size, out)
    numbers = [firsts[number // m] + number % m for number in range(origin, origin + size)]
    np.testing.assert_array_equal(out[:, :size], _uniforms(numbers))
    assert (out[:, size:] == 9.0).all()
