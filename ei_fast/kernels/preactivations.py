"""Pre-activations in the middle of cells."""

from ei_fast.kernels.jit import inner, jit


@jit
def cell_centres(weight, bias, middles, cells, centre):
    """Write the pre-activations in the middle of each cell into `centre`.

    Parameters
    ----------
    weight, bias : (n_in, n_out), (n_out,) float64
    middles : (in_bins + 1,) float64
        Middle of each input bin, and last that of the whole range.
    cells : (r, n_in) int32
        Bin of every input; in_bins where the input is not held in a bin.
    centre : (r, n_out) float64, output
    """
    n_in, n_out = weight.shape
    for r in range(cells.shape[0]):
        # Number by number: to compile what NumPy says of slices that do not fit takes seconds.
        for j in range(n_out):
            centre[r, j] = bias[j]
        for i in range(n_in):
            x = middles[cells[r, i]]
            for j in range(n_out):
                centre[r, j] += x * weight[i, j]


@inner
def centre_of_cell(weight, bias, middles, cell, j):
    """Return the pre-activation of output j in the middle of one cell (n_in,)."""
    centre = bias[j]
    for i in range(weight.shape[0]):
        centre += middles[cell[i]] * weight[i, j]
    return centre
