"""Bins of inputs, drawn with the probabilities of their histograms."""

import numpy as np
from numpy.typing import NDArray

from ei_fast.kernels.jit import jit
from ei_fast.kernels.search import count_at_most
from ei_fast.kernels.uniforms import GAMMA, PAGE, mix64, word_of

_SHIFT_32 = np.uint64(32)
_WORDS = 2.0**32
"""Number of random words of 32 bits."""


def thresholds_of(probabilities: NDArray[np.float64]) -> NDArray[np.uint64]:
    """For each row of probabilities (n_in, bins) the first word of every bin but the first, (n_in, bins - 1).

    A bin has its probability to within 2**-32; one of probability 0 has no word.
    """
    # Summed from both ends, so that what has probability 0 at either end is exactly at the first or the last word.
    below = np.cumsum(probabilities, axis=1)[:, :-1]
    above = np.cumsum(probabilities[:, ::-1], axis=1)[:, -2::-1]
    share = np.where(below < 0.5, below, 1.0 - above)
    words: NDArray[np.uint64] = np.rint(np.maximum.accumulate(share, axis=1) * _WORDS).astype(np.uint64)
    return words


@jit
def fill_drawn_bins(stream_keys, firsts, m, thresholds, out):
    """Write the bins of m samples of each of several cells into `out`.

    Parameters
    ----------
    stream_keys : (n_in,) uint64
        Key of every input neuron's own stream.
    firsts : (r,) int64
        Number in the streams of each cell's first sample.
    m : int
        Samples of each cell.
    thresholds : (n_in, bins - 1) uint64
        As of `thresholds_of`.
    out : (r * m, n_in) int32, output
        Sample t of cell c is row c * m + t. A bin is the number of thresholds that are not above its random word.
    """
    for i in range(stream_keys.shape[0]):
        own = thresholds[i]
        last_page, start_key, round_key = np.int64(-1), np.uint32(0), np.uint32(0)
        for c in range(firsts.shape[0]):
            for t in range(m):
                page, offset = divmod(firsts[c] + t, PAGE)
                if page != last_page:
                    page_key = mix64(stream_keys[i] + GAMMA * np.uint64(page))
                    start_key, round_key = np.uint32(page_key >> _SHIFT_32), np.uint32(page_key)
                    last_page = page
                word = np.uint64(word_of(start_key, round_key, offset))
                out[c * m + t, i] = np.int32(count_at_most(own, word))
