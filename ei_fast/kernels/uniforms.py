"""Counter-based uniforms: every value is a pure function of (stream key, sample index).

Samples come in pages. The page's number, counted by SplitMix64 (Steele, Lea & Flood, OOPSLA 2014), chooses one of
2**64 bijections of 32 bits, and the sample's place in the page goes through it: two rounds of shift and multiply
with constants from Wellons' search for 32-bit hashes of little bias (hash-prospector), half of the key in front of
them and half between. The quality is that of the 64-bit generator from page to page; what is done for every sample
fits in the 32-bit lanes of a vector unit.
"""

import numpy as np

from ei_fast.kernels.jit import jit

PAGE = 1024
"""Samples whose uniforms come from one output of SplitMix64."""

GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_U27, _U30, _U31, _U32 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(32)

_GAMMA_32 = np.uint32(0x9E3779B9)
_MULTIPLY_1 = np.uint32(0x21F0AAAD)
_MULTIPLY_2 = np.uint32(0xD35A2D97)
_U8, _U15, _U16 = np.uint32(8), np.uint32(15), np.uint32(16)
_STEP_24 = np.float32(2.0**-24)
_CENTRE_24 = np.float32(2.0**23 - 0.5)


@jit
def mix64(z):
    """Finaliser of SplitMix64: a bijection of 64 bits in which every bit depends on all."""
    z = (z ^ (z >> _U30)) * _MIX_1
    z = (z ^ (z >> _U27)) * _MIX_2
    return z ^ (z >> _U31)


@jit
def _halves(stream_key, page):
    key = mix64(stream_key + GAMMA * np.uint64(page))
    return np.uint32(key >> _U32), np.uint32(key)


@jit
def word_of(before, between, place):
    """The 32-bit word of a `place` in a page, under the two halves of the page's key."""
    # Numba widens every operation to 64 bits; the casts let the compiler narrow it again.
    z = np.uint32(before + np.uint32(place) * _GAMMA_32)
    z = np.uint32(np.uint32(z ^ (z >> _U16)) * _MULTIPLY_1)
    z = np.uint32(z ^ between)
    z = np.uint32(np.uint32(z ^ (z >> _U15)) * _MULTIPLY_2)
    return np.uint32(z ^ (z >> _U15))


@jit
def _fill_row(start, between, row):
    for t in range(row.shape[0]):
        # Below 2**24, so signed: float32 of an unsigned number takes several instructions.
        k = np.int32(word_of(start, between, t) >> _U8)
        row[t] = (np.float32(k) - _CENTRE_24) * _STEP_24


@jit
def fill_uniforms(stream_keys, first, m, out):
    """Fill out[:, :m], (n_in, >= m) float32, with uniforms on (-1/2, 1/2) for samples first, first+1, ...

    A value is (k - 2**23 + 1/2) * 2**-24 for a 24-bit integer k: exact in float32, symmetric about
    0, and never an end of the interval. Each neuron has a key of its own, (n_in,) uint64.
    """
    fill_uniforms_at(stream_keys, first, m, out, np.int64(0))


@jit
def fill_uniforms_at(stream_keys, first, m, out, at):
    """`fill_uniforms` of out[:, at : at + m]."""
    for i in range(stream_keys.shape[0]):
        t = 0
        while t < m:
            page, place = divmod(first + t, PAGE)
            n = min(m - t, PAGE - place)
            before, between = _halves(stream_keys[i], page)
            _fill_row(np.uint32(before + np.uint32(place) * _GAMMA_32), between, out[i, at + t : at + t + n])
            t += n


@jit
def fill_uniforms_of_cells(stream_keys, firsts, m, origin, size, out):
    """Fill out[:, :size] with samples origin ... origin + size - 1 of rows of m.

    Row r begins at number firsts[r] of the stream; rows lie there in rising order and do not overlap.
    """
    row, last = origin // m, (origin + size - 1) // m
    if firsts[last] - firsts[row] == (last - row) * m:
        # Rows rise in the stream, so that these follow each other.
        fill_uniforms(stream_keys, firsts[row] + origin - row * m, size, out)
        return
    t = 0
    while t < size:
        row = (origin + t) // m
        place = origin + t - row * m
        n = min(m - place, size - t)
        fill_uniforms_at(stream_keys, firsts[row] + place, n, out, t)
        t += n


@jit
def fill_cells(stream_keys, first, bins, out):
    """Fill `out` (r, n_in), int32, with input cells first, first+1, ...: each entry uniform on 0 ... bins-1.

    An entry is the high word of a 32-bit draw times `bins`; its probability is off 1/bins by less
    than 2**-32.
    """
    for i in range(stream_keys.shape[0]):
        c = 0
        while c < out.shape[0]:
            page, place = divmod(first + c, PAGE)
            n = min(out.shape[0] - c, PAGE - place)
            before, between = _halves(stream_keys[i], page)
            for k in range(n):
                word = np.uint64(word_of(before, between, place + k))
                out[c + k, i] = np.int32((word * np.uint64(bins)) >> _U32)
            c += n
