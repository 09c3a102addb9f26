"""Cells of the inputs, told apart by interval arithmetic: in which an output may move, and which may keep samples."""

from ei_fast.kernels.jit import jit
from ei_fast.kernels.preactivations import centre_of_cell
from ei_fast.kernels.search import count_at_most


@jit
def moving_cells(weight, bias, middles, cells, reach, breaks, sizes, rows, moving):
    """Write whether any output's code may change inside each cell, by interval arithmetic, into `moving`.

    Parameters
    ----------
    weight, bias, middles, cells
        As of `cell_centres`.
    reach, breaks, sizes, rows
        As of `dense_keys`.
    moving : (r,) bool, output
        False only where all outputs are constant.
    """
    for r in range(cells.shape[0]):
        moving[r] = False
        # Mostly one of the first outputs moves, so that the centres of the others need not be computed.
        for j in range(weight.shape[1]):
            centre = centre_of_cell(weight, bias, middles, cells[r], j)
            own_breaks = breaks[rows[j], : sizes[rows[j]]]
            n_passed = count_at_most(own_breaks, centre - reach[j])
            if n_passed < own_breaks.shape[0] and own_breaks[n_passed] < centre + reach[j]:
                moving[r] = True
                break


@jit
def open_cells(weight, bias, middles, cells, reach, breaks, sizes, codes, rows, outside, kept):
    """Write whether all outputs can be inside their range in each cell, by interval arithmetic, into `kept`.

    Parameters
    ----------
    weight, bias, middles, cells
        As of `cell_centres`.
    reach, breaks, sizes, codes, rows
        As of `dense_keys`.
    outside : int
        Code of an output outside its range.
    kept : (r,) bool, output
        False only where all samples of the cell are dropped. Outputs are looked at one by one, so that even a cell with
        True may keep nothing.
    """
    for r in range(cells.shape[0]):
        kept[r] = True
        for j in range(weight.shape[1]):
            centre = centre_of_cell(weight, bias, middles, cells[r], j)
            own_breaks = breaks[rows[j], : sizes[rows[j]]]
            last = count_at_most(own_breaks, centre + reach[j])
            k = count_at_most(own_breaks, centre - reach[j])
            while k < last and codes[rows[j], k] == outside:
                k += 1
            if codes[rows[j], k] == outside:
                kept[r] = False
                break
