"""Keys of the outputs of a dense layer without one of its neurons or edges, of samples that all of these share.

A key is the exclusive or of a random word for the code of each output (Zobrist 1970), so that where one output's code
changes, or is no longer watched, two words say what the key becomes.
"""

import numpy as np

from ei_fast.kernels.counting import HASH_MULTIPLIER
from ei_fast.kernels.jit import inner, jit
from ei_fast.kernels.search import count_at_most

_LINE = 1024
"""Samples that are binned in one go: they stay in the nearest cache."""
_MOST_COMPARED = 24
"""Breakpoints up to which each is compared with all samples, which is done for several samples at once."""


@inner
def _places(breaks, values, found):
    """Write how many of `breaks`, in rising order, are at most each of `values` (m,) into found (m,), int32."""
    if breaks.shape[0] > _MOST_COMPARED:
        for t in range(values.shape[0]):
            found[t] = count_at_most(breaks, values[t])
        return
    for t in range(values.shape[0]):
        found[t] = 0
    for b in breaks:
        for t in range(values.shape[0]):
            found[t] += np.int32(b <= values[t])


@jit
def summed(weight, bias, x, s):
    """Write pre-activations s (n_out, m) of inputs x (n_in, m), float64; the sums are in the order of the inputs."""
    n_in, n_out = weight.shape
    for j in range(n_out):
        own = s[j]
        own[:] = bias[j]
        for i in range(n_in):
            w = weight[i, j]
            if w != 0.0:
                of_input = x[i]
                for t in range(own.shape[0]):
                    own[t] += w * of_input[t]


@jit
def words_of_codes(s, breaks, sizes, codes, rows, words, found, keys):
    """Write the word of each output's code, found (n_out, m), and the key of each sample, keys (m,), uint64.

    Parameters
    ----------
    s : (n_out, m) float64
        Pre-activations.
    breaks, sizes, codes, rows
        Binned activations, as of `dense_keys`.
    words : (n_out, n_codes) uint64
        One for each code of each output.
    """
    keys[:] = np.uint64(0)
    places = np.empty(_LINE, np.int32)
    for j in range(s.shape[0]):
        own_breaks, own_codes, own_words = breaks[rows[j], : sizes[rows[j]]], codes[rows[j]], words[j]
        for begin in range(0, s.shape[1], _LINE):
            end = min(begin + _LINE, s.shape[1])
            _places(own_breaks, s[j, begin:end], places[: end - begin])
            for t in range(begin, end):
                word = own_words[own_codes[places[t - begin]]]
                found[j, t] = word
                keys[t] ^= word


@inner
def _rekey(s, breaks, codes, words, before, places, keys):
    """Put the words of an output's pre-activations s (m,) into keys (m,), in place of those that were there before."""
    _places(breaks, s, places[: s.shape[0]])
    for t in range(s.shape[0]):
        keys[t] ^= before[t] ^ words[codes[places[t]]]


@jit
def ablated_keys(weight, values, inputs, outputs, x, s, breaks, sizes, codes, rows, words, found, base, first, keys):
    """Write the keys of samples of several layers, each of which lacks something, into keys[:, first : first + m].

    Parameters
    ----------
    weight : (n_in, n_out) float64
    values : (n_in,) float64
        At which an input is held, or what an edge passes on in its place.
    inputs, outputs : (n,) int64
        Of each layer: an input and an output are the edge between them; an input and -1 that input; -1 and an output
        that output, which is not watched; -1 and -1 nothing.
    x, s, breaks, sizes, codes, rows, words, found, base
        As of `words_of_codes`, which has written `found`, and `base`, the keys of the whole layer.
    first : int
    keys : (n, >= first + m) uint64, output
    """
    n_out, m = s.shape
    places = np.empty(_LINE, np.int32)
    for v in range(inputs.shape[0]):
        i, j = inputs[v], outputs[v]
        own = keys[v]
        for t in range(m):
            own[first + t] = base[t]
        if i < 0:
            if j >= 0:
                for t in range(m):
                    own[first + t] ^= found[j, t]
            continue
        of_input, value = x[i], values[i]
        begin, end = (j, j + 1) if j >= 0 else (0, n_out)
        for k in range(begin, end):
            w = weight[i, k]
            if w == 0.0:
                continue
            own_breaks, own_codes, own_words = breaks[rows[k], : sizes[rows[k]]], codes[rows[k]], words[k]
            for start in range(0, m, _LINE):
                line = slice(start, min(start + _LINE, m))
                moves, keys_of_line = w * (of_input[line] - value), own[first:][line]
                _rekey(s[k, line] - moves, own_breaks, own_codes, own_words, found[k, line], places, keys_of_line)


@jit
def multiplicities(keys, slot_keys, slot_counts, slots, out):
    """Write how often the key of each sample occurs among all, out (n,), int64; return how many keys differ.

    Parameters
    ----------
    keys : (n,) uint64
    slot_keys, slot_counts : (size,) uint64, (size,) int64, scratch
        A hash table; size is a power of two and at least 2 n. What it holds is overwritten.
    slots : (n,) int64, scratch
    """
    size = slot_keys.shape[0]
    index_bits = 0
    while (1 << index_bits) < size:
        index_bits += 1
    shift = np.uint64(64 - index_bits)
    slot_counts[:] = 0
    n_states = 0
    for t in range(keys.shape[0]):
        key = keys[t]
        slot = np.int64((key * HASH_MULTIPLIER) >> shift)
        while slot_counts[slot] > 0 and slot_keys[slot] != key:
            slot = (slot + 1) & (size - 1)
        if slot_counts[slot] == 0:
            slot_keys[slot] = key
            n_states += 1
        slot_counts[slot] += 1
        slots[t] = slot
    for t in range(keys.shape[0]):
        out[t] = slot_counts[slots[t]]
    return n_states


@inner
def _read(table, place, last):
    """What a table has at a place between its entries, and beyond its ends."""
    inside = min(max(place, 0.0), last - 1e-9)
    n = np.int64(inside)
    return table[n] + (inside - n) * (table[n + 1] - table[n])


@jit
def control_of_cells(weight, values, inputs, outputs, middles, bins, centres, lows, widths, tables, out):
    """Write by how much a control of each cell changes in several layers, each of which lacks something.

    The control of a cell is the sum over outputs of a function of the pre-activation in its middle, which a table has
    at equal distances; between them it is linear, and beyond the ends constant.

    Parameters
    ----------
    weight, values, inputs, outputs
        As of `ablated_keys`.
    middles : (in_bins,) float64
        Of the bins of the inputs.
    bins : (n_in, r) uint16
        Of each input in each cell.
    centres : (n_out, r) float64
        Pre-activations of the whole layer in the middle of each cell.
    lows, widths : (n_out,) float64
        First place of each output's table, and the distance of two.
    tables : (n_out, g) float64
    out : (n, r) float64, output
    """
    n_out, n_cells = centres.shape
    last = tables.shape[1] - 1
    of_whole = np.empty((n_out, n_cells))
    for k in range(n_out):
        for r in range(n_cells):
            of_whole[k, r] = _read(tables[k], (centres[k, r] - lows[k]) / widths[k], last)
    for v in range(inputs.shape[0]):
        i, j = inputs[v], outputs[v]
        own = out[v]
        own[:] = 0.0
        if i < 0 and j < 0:
            continue
        begin, end = (j, j + 1) if j >= 0 else (0, n_out)
        for k in range(begin, end):
            w = 0.0 if i < 0 else weight[i, k]
            if i >= 0 and w == 0.0:
                continue
            table, low, width = tables[k], lows[k], widths[k]
            for r in range(n_cells):
                own[r] -= of_whole[k, r]
                if i >= 0:
                    centre = centres[k, r] - w * (middles[bins[i, r]] - values[i])
                    own[r] += _read(table, (centre - low) / width, last)
