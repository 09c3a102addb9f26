"""The binned activation of every output of a layer, in the form that kernels read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ei_fast.network.step_functions import StepFunction


@dataclass(frozen=True, eq=False)
class StepTable:
    """One step function for all outputs of a layer, or one for each.

    Attributes
    ----------
    breaks : ndarray (R, K), float64
        Breakpoints of the pre-activation, increasing in each row; beyond a row's size they are infinity.
    sizes : ndarray (R,), int64
        Number of breakpoints of each row.
    codes : ndarray (R, K + 1), uint16
        Output bin of each interval between breakpoints, `outside` where the output is to be dropped; beyond a row's
        size its last bin.
    rows : ndarray (n_out,), int64
        The row of each output.
    n_bins : int
        Number of output bins.
    drops : bool
        Whether outputs outside the range have a code of their own.
    """

    breaks: NDArray[np.float64]
    sizes: NDArray[np.int64]
    codes: NDArray[np.uint16]
    rows: NDArray[np.int64]
    n_bins: int
    drops: bool = False

    @classmethod
    def of(cls, functions: Sequence[StepFunction], n_out: int, drops: bool = False) -> "StepTable":
        """The table of one step function for all `n_out` outputs, or of one for each."""
        sizes = np.array([len(function.breaks) for function in functions], np.int64)
        breaks = np.full((len(functions), max(int(sizes.max()), 1)), np.inf)
        codes = np.zeros((len(functions), breaks.shape[1] + 1), np.uint16)
        for k, function in enumerate(functions):
            breaks[k, : sizes[k]] = function.breaks
            codes[k] = function.codes[-1]
            codes[k, : sizes[k] + 1] = function.codes
        rows = np.zeros(n_out, np.int64) if len(functions) == 1 else np.arange(n_out, dtype=np.int64)
        return cls(breaks, sizes, codes, rows, functions[0].n_bins, drops)

    @property
    def outside(self) -> int:
        """The code of outputs that are dropped; no interval has it where outputs are clipped."""
        return self.n_bins

    def of_outputs(self, outputs: Sequence[int] | NDArray[np.integer] | slice) -> "StepTable":
        """The table of some of the outputs."""
        rows = np.ascontiguousarray(self.rows[outputs])
        return replace(self, rows=rows)

    def scaled(self, exponent: int) -> "StepTable":
        """The table for pre-activations that are multiplied by 2**exponent."""
        if not exponent:
            return self
        with np.errstate(over="ignore", under="ignore"):
            # A breakpoint that overflows is one that no pre-activation reaches.
            breaks = np.ldexp(self.breaks, exponent)
        return replace(self, breaks=breaks)

    def breaks_of(self, output: int) -> NDArray[np.float64]:
        """Breakpoints of an output, (K,)."""
        row = self.rows[output]
        return self.breaks[row, : self.sizes[row]]

    def codes_of(self, output: int) -> NDArray[np.uint16]:
        """Bins of an output on the intervals between its breakpoints, (K + 1,)."""
        row = self.rows[output]
        return self.codes[row, : self.sizes[row] + 1]

    def passed(self, preactivations: NDArray[np.float64], side: Literal["left", "right"]) -> NDArray[np.intp]:
        """Number of breakpoints below each output's pre-activation, (n_out,); `side` as in `numpy.searchsorted`."""
        if len(self.sizes) == 1:
            return np.searchsorted(self.breaks_of(0), preactivations, side=side)
        is_passed = np.less if side == "left" else np.less_equal
        n_passed: NDArray[np.intp] = is_passed(self.breaks[self.rows], preactivations[:, None]).sum(axis=1)
        return n_passed

    def probabilities(self, cdfs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probability of every bin of each output.

        Parameters
        ----------
        cdfs : ndarray (n_out, K)
            Distribution function of each output's pre-activation at its breakpoints; 1 beyond them.

        Returns
        -------
        ndarray (n_out, n_bins + 1)
            Probabilities; the last column is that of `outside`.
        """
        pieces = np.diff(np.maximum.accumulate(cdfs, axis=1), prepend=0.0, append=1.0)
        p = np.zeros((len(self.rows), self.n_bins + 1))
        codes = self.codes[self.rows]
        outputs = np.arange(len(self.rows))
        for k in range(pieces.shape[1]):
            p[outputs, codes[:, k]] += pieces[:, k]
        return p
