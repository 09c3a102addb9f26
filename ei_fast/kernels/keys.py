"""Joint states as 64-bit keys that forget no neuron."""

import numpy as np

from ei_fast.kernels.jit import jit
from ei_fast.kernels.uniforms import mix64

DROPPED = np.uint64(2**64 - 1)
"""Key of a sample that is left out, since one of its outputs lies outside the range."""

WORD_BITS = 63
"""Bits of codes in a word: the last one stays 0, so that no state is taken for DROPPED."""

NEVER = -1
"""In place of the code for "outside" where nothing is left out."""


@jit
def pack_codes(codes, bits, outside, keys):
    """Fold the codes (n_out, >= m) of each sample into one key: keys[t] for codes[:, t], t < m.

    Codes take `bits` bits each. As long as all of them fit into 63 bits the key is the code vector
    itself and two states never share one. Longer vectors are hashed word by word; the chance that any
    two of N states share a key is then at most about N**2 / 2**65. A sample with a code `outside` gets
    the key DROPPED.
    """
    n_out, m = codes.shape[0], keys.shape[0]
    per_word = WORD_BITS // bits
    keys[:] = np.uint64(0)
    if n_out <= per_word:
        for j in range(n_out):
            shift = np.uint64(j * bits)
            row = codes[j]
            for t in range(m):
                keys[t] |= np.uint64(row[t]) << shift
    else:
        word = np.empty(m, np.uint64)
        for start in range(0, n_out, per_word):
            word[:] = np.uint64(0)
            for j in range(start, min(start + per_word, n_out)):
                shift = np.uint64((j - start) * bits)
                row = codes[j]
                for t in range(m):
                    word[t] |= np.uint64(row[t]) << shift
            for t in range(m):
                keys[t] = mix64(keys[t] ^ word[t])
    if outside != NEVER:
        for j in range(n_out):
            row = codes[j]
            for t in range(m):
                if row[t] == outside:
                    keys[t] = DROPPED
