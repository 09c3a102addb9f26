"""Counter-based uniforms: every value is a pure function of (stream key, sample index).

The generator is SplitMix64 (Steele, Lea & Flood, OOPSLA 2014) addressed by its counter: output
number n of the stream with key k is mix64(k + n * GAMMA). Each 64-bit output feeds two
neighbouring neurons with 24 bits each.
"""

import numpy as np

from ei_fast.kernels.jit import jit

GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_U27, _U30, _U31 = np.uint64(27), np.uint64(30), np.uint64(31)
_U8, _U32, _U40 = np.uint64(8), np.uint64(32), np.uint64(40)
_LOW_24, _LOW_32 = np.uint64(0xFFFFFF), np.uint64(0xFFFFFFFF)
_STEP_24 = np.float32(2.0**-24)
_CENTRE_24 = np.float32(2.0**23 - 0.5)


@jit
def mix64(z):
    """Finaliser of SplitMix64: a bijection of 64 bits in which every bit depends on all."""
    z = (z ^ (z >> _U30)) * _MIX_1
    z = (z ^ (z >> _U27)) * _MIX_2
    return z ^ (z >> _U31)


@jit
def fill_uniforms(pair_keys, first, m, out):
    """Fill out[:, :m], (n_in, >= m) float32, with uniforms on (-1/2, 1/2) for samples first, first+1, ...

    A value is (k - 2**23 + 1/2) * 2**-24 for a 24-bit integer k: exact in float32, symmetric about
    0, and never an end of the interval. Neurons 2p and 2p+1 share ``pair_keys[p]``.
    """
    n_in = out.shape[0]
    for p in range(pair_keys.shape[0]):
        start = pair_keys[p] + GAMMA * np.uint64(first)
        if 2 * p + 1 < n_in:
            even, odd = out[2 * p], out[2 * p + 1]
            for t in range(m):
                z = mix64(start + GAMMA * np.uint64(t))
                even[t] = (np.float32(z >> _U40) - _CENTRE_24) * _STEP_24
                odd[t] = (np.float32((z >> _U8) & _LOW_24) - _CENTRE_24) * _STEP_24
        else:
            last = out[2 * p]
            for t in range(m):
                z = mix64(start + GAMMA * np.uint64(t))
                last[t] = (np.float32(z >> _U40) - _CENTRE_24) * _STEP_24


@jit
def fill_cells(pair_keys, first, bins, out):
    """Fill `out` (r, n_in), int32, with input cells first, first+1, ...: each entry uniform on 0 ... bins-1.

    An entry is the high word of a 32-bit draw times `bins`; its probability is off 1/bins by less
    than 2**-32.
    """
    r, n_in = out.shape
    n_bins = np.uint64(bins)
    for p in range(pair_keys.shape[0]):
        start = pair_keys[p] + GAMMA * np.uint64(first)
        for c in range(r):
            z = mix64(start + GAMMA * np.uint64(c))
            out[c, 2 * p] = np.int32(((z >> _U32) * n_bins) >> _U32)
            if 2 * p + 1 < n_in:
                out[c, 2 * p + 1] = np.int32(((z & _LOW_32) * n_bins) >> _U32)
