"""Joint states as 64-bit keys that forget no neuron."""

import numpy as np

from ei_fast.kernels.jit import jit
from ei_fast.kernels.uniforms import mix64


@jit
def pack_codes(codes, bits, keys):
    """Fold the codes (n_out, m) of each sample into one key: keys[t] for codes[:, t].

    Codes take `bits` bits each. As long as all of them fit into 64 bits the key is the code vector
    itself and two states never share one. Longer vectors are hashed word by word; the chance that any
    two of N states share a key is then at most about N**2 / 2**65.
    """
    n_out, m = codes.shape
    per_word = 64 // bits
    keys[:] = np.uint64(0)
    if n_out <= per_word:
        for j in range(n_out):
            shift = np.uint64(j * bits)
            row = codes[j]
            for t in range(m):
                keys[t] |= np.uint64(row[t]) << shift
        return
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
