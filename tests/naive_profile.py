"""A slow, readable oracle of the information profile, in plain NumPy: every input cell is filled with points.

Nothing here calls the package.
"""

import numpy as np


def entropies(counts):
    """Entropy of each row of counts in bits, by Miller and Madow's correction."""
    n = counts.sum(axis=1, keepdims=True)
    p = counts / np.maximum(n, 1)
    logs = np.zeros_like(p)
    np.log2(p, out=logs, where=p > 0)
    return -(p * logs).sum(axis=1) + (np.count_nonzero(counts, axis=1) - 1) / (2 * np.log(2) * n[:, 0])


def table_of_cells(codes_of, n_in, in_bins, out_bins, per_cell, rng):
    """How often every joint state of the outputs was met in every input cell, (cells, states).

    `codes_of` has the bins (m, n_out) of the outputs at inputs (m, n_in) on the unit cube.
    """
    cells = np.stack(np.unravel_index(np.arange(in_bins**n_in), (in_bins,) * n_in), axis=1)
    n_out = codes_of(np.zeros((1, n_in))).shape[1]
    table = np.zeros((len(cells), out_bins**n_out), np.int64)
    for _ in range(per_cell):
        codes = codes_of((cells + rng.random(cells.shape)) / in_bins)
        states = codes @ out_bins ** np.arange(n_out)
        table[np.arange(len(cells)), states] += 1
    return table


def profile(table, n_in, in_bins, out_bins):
    """EI, I(X_i; Y), I(X_i; Y | X_others) and I(X; Y_j) in bits, from a table of `table_of_cells`."""
    n_states = table.shape[1]
    n_out = round(np.log(n_states) / np.log(out_bins))
    whole, inside = entropies(table.sum(axis=0)[None])[0], entropies(table).mean()
    cube = table.reshape((in_bins,) * n_in + (n_states,))
    alone = [
        whole - entropies(np.moveaxis(cube, i, 0).reshape(in_bins, -1, n_states).sum(axis=1)).mean()
        for i in range(n_in)
    ]
    given = [entropies(cube.sum(axis=i).reshape(-1, n_states)).mean() - inside for i in range(n_in)]
    outputs = []
    for j in range(n_out):
        of_output = table.reshape(len(table), -1, out_bins, out_bins**j).sum(axis=(1, 3))
        outputs.append(entropies(of_output.sum(axis=0)[None])[0] - entropies(of_output).mean())
    return whole - inside, np.array(alone), np.array(given), np.array(outputs)
