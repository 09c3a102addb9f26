"""Counter-based uniforms: every value is a pure function of a stream key and a sample's number.

Nothing is carried from one value to the next, so that samples may be drawn in any order, by any thread, and split
into blocks anywhere.

Notes
-----
The samples of a stream are divided into pages of `PAGE`. Sample number t is the one at `offset` = t mod PAGE of page
number floor(t / PAGE).

1. SplitMix64 (Steele, Lea & Flood, OOPSLA 2014) makes of the stream key and the page's number one 64-bit page key:
   ``mix64(stream_key + GAMMA * page)``. Its upper half is called `start_key`, its lower half `round_key`.
2. The offset goes through a bijection of 32 bits that the page key selects: multiples of the 32-bit golden
   ratio are counted from `start_key` on, and go through the two rounds of xor-shift and multiplication of a hash
   of Wellons' hash-prospector, with `round_key` entered by xor between the rounds.

From page to page the quality is that of a 64-bit generator. What is computed for each sample fits into the 32-bit
lanes of a vector unit.
"""

import numpy as np

from ei_fast.kernels.jit import inner, jit

PAGE = 1024
"""Samples whose uniforms come from one output of SplitMix64. Longer pages spread its cost over more samples; shorter
ones choose among the bijections more often. Figures of a seed depend on it."""

GAMMA = np.uint64(0x9E3779B97F4A7C15)
"""What SplitMix64's counter advances by: the odd number nearest to 2**64 divided by the golden ratio."""
_MIX_MULTIPLIER_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_MULTIPLIER_2 = np.uint64(0x94D049BB133111EB)
"""Multipliers of SplitMix64's finaliser: David Stafford's variant 13 of the 64-bit finaliser of MurmurHash3."""

_GAMMA_32 = np.uint32(0x9E3779B9)
"""What the 32-bit counter inside a page advances by: 2**32 divided by the golden ratio, rounded down to an odd
number."""
_HASH_MULTIPLIER_1 = np.uint32(0x21F0AAAD)
_HASH_MULTIPLIER_2 = np.uint32(0xD35A2D97)
"""Multipliers of the 32-bit hash, which with its shifts by 16, 15 and 15 is one of little bias in the list that
accompanies Wellons' hash-prospector."""

# Shifts have the type of what they shift, so that Numba keeps the word's width.
_SHIFT_8, _SHIFT_15, _SHIFT_16 = np.uint32(8), np.uint32(15), np.uint32(16)
_SHIFT_27, _SHIFT_30, _SHIFT_31, _SHIFT_32 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(32)

_GRID_STEP = np.float32(2.0**-24)
"""Distance of neighbouring uniforms: float32 resolves 24 bits, hence 2**24 values on an interval of length 1."""
_GRID_CENTRE = np.float32(2.0**23 - 0.5)
"""The middle of the integers 0 ... 2**24 - 1."""


@inner
def mix64(z):
    """Return the finaliser of SplitMix64 of `z` (uint64): a bijection in which every output bit depends on all."""
    z = (z ^ (z >> _SHIFT_30)) * _MIX_MULTIPLIER_1
    z = (z ^ (z >> _SHIFT_27)) * _MIX_MULTIPLIER_2
    return z ^ (z >> _SHIFT_31)


@inner
def _page_keys(stream_key, page):
    """Return the two 32-bit halves of a page's key, `start_key` and `round_key`; see the module's notes."""
    page_key = mix64(stream_key + GAMMA * np.uint64(page))
    return np.uint32(page_key >> _SHIFT_32), np.uint32(page_key)


@inner
def word_of(start_key, round_key, offset):
    """Return the 32 random bits (uint32) of a sample at `offset` in the page that has these keys.

    Parameters
    ----------
    start_key, round_key : uint32
        The halves of the page's key. The word of offset p + q equals that of offset q under a start_key larger by
        p * _GAMMA_32 (mod 2**32).
    offset : int
    """
    # Numba widens every operation to 64 bits; the casts let the compiler narrow it again.
    z = np.uint32(start_key + np.uint32(offset) * _GAMMA_32)
    z = np.uint32(np.uint32(z ^ (z >> _SHIFT_16)) * _HASH_MULTIPLIER_1)
    z = np.uint32(z ^ round_key)
    z = np.uint32(np.uint32(z ^ (z >> _SHIFT_15)) * _HASH_MULTIPLIER_2)
    return np.uint32(z ^ (z >> _SHIFT_15))


@inner
def _fill_within_page(start_key, round_key, out):
    """Write the uniforms of offsets 0, 1, ... counted from `start_key` on into `out` (n,), float32."""
    for t in range(out.shape[0]):
        # Below 2**24, so that a signed integer holds it: of an unsigned one float32 takes several instructions.
        k = np.int32(word_of(start_key, round_key, t) >> _SHIFT_8)
        out[t] = (np.float32(k) - _GRID_CENTRE) * _GRID_STEP


@jit
def fill_uniforms(stream_keys, first, m, out):
    """Write uniforms on (-1/2, 1/2) of m samples into out[:, :m].

    A value is (k - 2**23 + 1/2) * 2**-24 for an integer k of 24 random bits: exact in float32, distributed
    symmetrically about 0, and never an end of the interval.

    Parameters
    ----------
    stream_keys : (n_in,) uint64
        Key of every input neuron's own stream.
    first : int
        Number of the first sample in the streams.
    m : int
    out : (n_in, >= m) float32, output
        out[i, t] is the uniform of neuron i in sample number first + t.
    """
    fill_uniforms_at(stream_keys, first, m, out, np.int64(0))


@inner
def fill_uniforms_at(stream_keys, first, m, out, column):
    """Write what `fill_uniforms` writes into out[:, column : column + m] instead."""
    for i in range(stream_keys.shape[0]):
        t = 0
        while t < m:
            page, offset = divmod(first + t, PAGE)
            n = min(m - t, PAGE - offset)
            start_key, round_key = _page_keys(stream_keys[i], page)
            _fill_within_page(
                np.uint32(start_key + np.uint32(offset) * _GAMMA_32), round_key, out[i, column + t : column + t + n]
            )
            t += n


@jit
def fill_uniforms_of_cells(stream_keys, firsts, m, origin, size, out):
    """Write uniforms of consecutive samples of several cells, m samples to a cell, into out[:, :size].

    Parameters
    ----------
    stream_keys : (n_in,) uint64
        Key of every input neuron's own stream.
    firsts : (r,) int64
        Number in the streams of each cell's first sample; rising, and such that cells share no sample.
    m : int
        Samples of each cell.
    origin, size : int
        Sample t of cell c is number c * m + t of the call's r * m samples, of which number origin ...
        origin + size - 1 are written.
    out : (n_in, >= size) float32, output
        Uniforms on (-1/2, 1/2), as of `fill_uniforms`.
    """
    cell, last = origin // m, (origin + size - 1) // m
    if firsts[last] - firsts[cell] == (last - cell) * m:
        # Cells rise in the stream without sharing samples, so that these follow each other without a gap.
        fill_uniforms_at(stream_keys, firsts[cell] + origin - cell * m, size, out, np.int64(0))
        return
    # A literal 0 would be another type, for which what it is passed to would be compiled again.
    t = np.int64(0)
    while t < size:
        cell = (origin + t) // m
        sample = origin + t - cell * m
        n = min(m - sample, size - t)
        fill_uniforms_at(stream_keys, firsts[cell] + sample, n, out, t)
        t += n


@jit
def fill_cells(stream_keys, first, bins, out):
    """Write randomly drawn input cells into `out`, each bin index uniform on 0 ... bins - 1.

    A bin index is floor(word * bins / 2**32) for a 32-bit random word; each has a probability within 2**-32 of
    1 / bins.

    Parameters
    ----------
    stream_keys : (n_in,) uint64
        Key of every input neuron's own stream.
    first : int
        Number of the first cell in the streams.
    bins : int
        Bins of an input.
    out : (r, n_in) int32, output
        Row c is cell number first + c of the streams.
    """
    for i in range(stream_keys.shape[0]):
        c = 0
        while c < out.shape[0]:
            page, offset = divmod(first + c, PAGE)
            n = min(out.shape[0] - c, PAGE - offset)
            start_key, round_key = _page_keys(stream_keys[i], page)
            for k in range(n):
                word = np.uint64(word_of(start_key, round_key, offset + k))
                out[c + k, i] = np.int32((word * np.uint64(bins)) >> _SHIFT_32)
            c += n
