"""Searching: how many entries of a sorted array a value has reached."""

from ei_fast.kernels.jit import inner


@inner
def count_at_most(breaks, value):
    """Return how many entries of `breaks` (K,), in rising order, are <= `value`, by bisection."""
    low, high = 0, breaks.shape[0]
    while low < high:
        middle = (low + high) // 2
        if breaks[middle] <= value:
            low = middle + 1
        else:
            high = middle
    return low
