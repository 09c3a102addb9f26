"""Keys: the joint state of all outputs of a sample as one 64-bit integer."""

import numpy as np

from ei_fast.kernels.jit import jit
from ei_fast.kernels.uniforms import mix64

DROPPED = np.uint64(2**64 - 1)
"""Key of a sample that is left out, because one of its outputs lies outside the range."""

WORD_BITS = 63
"""Bits of codes in one 64-bit word: the last bit stays 0, so that no state of one word equals `DROPPED`."""

NEVER = -1
"""Value of the argument `outside` where no sample is left out: no code equals it."""


@jit
def pack_codes(codes, code_width, outside, keys):  # noqa: C901 - one loop nest, as it is fastest
    """Write the key of each sample's joint state into `keys`.

    As long as the codes of all outputs fit into one word, the key is the word itself: the code of output j in the
    bits from j * code_width on. Two states then never share a key. More outputs take several words, of which each
    is hashed together with the hash of those before it. Of N different states hashed to 64 bits, any two share
    a key with a probability of at most about N**2 / 2**65 (birthday bound).

    Parameters
    ----------
    codes : (n_out, >= m) uint16
        Output bins of the samples, each below 2**code_width.
    code_width : int
        Bits of a key that one code takes.
    outside : int
        Code of an output that lies outside the range; `NEVER` where no sample is left out.
    keys : (m,) uint64, output
        Keys of samples 0 ... m - 1; `DROPPED` for a sample of which any output has the code `outside`.
    """
    n_out, m = codes.shape[0], keys.shape[0]
    codes_per_word = WORD_BITS // code_width
    keys[:] = np.uint64(0)
    if n_out <= codes_per_word:
        for j in range(n_out):
            shift = np.uint64(j * code_width)
            output_codes = codes[j]
            for t in range(m):
                keys[t] |= np.uint64(output_codes[t]) << shift
    else:
        word = np.empty(m, np.uint64)
        for start in range(0, n_out, codes_per_word):
            word[:] = np.uint64(0)
            for j in range(start, min(start + codes_per_word, n_out)):
                shift = np.uint64((j - start) * code_width)
                output_codes = codes[j]
                for t in range(m):
                    word[t] |= np.uint64(output_codes[t]) << shift
            for t in range(m):
                keys[t] = mix64(keys[t] ^ word[t])
    if outside != NEVER:
        for j in range(n_out):
            output_codes = codes[j]
            for t in range(m):
                if output_codes[t] == outside:
                    keys[t] = DROPPED
