"""The binned activation of every output of a layer, in the form that kernels read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ei_fast.network.activations import StepFunction


@dataclass(frozen=True, eq=False)
class StepTable:
    """One step function for all outputs of a layer, or one for each.

    Attributes
    ----------
    breaks : ndarray (R, K), float64
        Breakpoints of the pre-activation, those of a row in rising order; beyond its size a row holds infinity ...
    sizes : ndarray (R,), int64
        How many breakpoints each row has.
    codes : ndarray (R, K + 1), uint16
        Output bin of each interval between them, `outside` where the output is to be dropped; ... and its last bin.
    rows : ndarray (n_out,), int64
        The row of each output.
    n_bins : int
    """

    breaks: NDArray[np.float64]
    sizes: NDArray[np.int64]
    codes: NDArray[np.uint16]
    rows: NDArray[np.int64]
    n_bins: int
    drops: bool = False
    """Whether what is outside the range is told apart."""

    @classmethod
    def of(cls, functions: Sequence[StepFunction], n_out: int, drops: bool = False) -> "StepTable":
        """Of one step function for all `n_out` outputs, or of one for each."""
        sizes = np.array([len(one.breaks) for one in functions], np.int64)
        breaks = np.full((len(functions), max(int(sizes.max()), 1)), np.inf)
        codes = np.zeros((len(functions), breaks.shape[1] + 1), np.uint16)
        for k, one in enumerate(functions):
            breaks[k, : sizes[k]] = one.breaks
            codes[k] = one.codes[-1]
            codes[k, : sizes[k] + 1] = one.codes
        rows = np.zeros(n_out, np.int64) if len(functions) == 1 else np.arange(n_out, dtype=np.int64)
        return cls(breaks, sizes, codes, rows, functions[0].n_bins, drops)

    @property
    def outside(self) -> int:
        """The code of outputs that are dropped; under clipping no interval has it."""
        return self.n_bins

    def of_outputs(self, outputs: Sequence[int] | NDArray[np.integer] | slice) -> "StepTable":
        """The table of some of the outputs."""
        rows = np.ascontiguousarray(self.rows[outputs])
        return replace(self, rows=rows)

    def scaled(self, exponent: int) -> "StepTable":
        """The table of pre-activations times 2**exponent."""
        if not exponent:
            return self
        with np.errstate(over="ignore", under="ignore"):
            # A step beyond all numbers is one that no pre-activation meets.
            breaks = np.ldexp(self.breaks, exponent)
        return replace(self, breaks=breaks)

    def breaks_of(self, output: int) -> NDArray[np.float64]:
        """Breakpoints of one output."""
        row = self.rows[output]
        return self.breaks[row, : self.sizes[row]]

    def codes_of(self, output: int) -> NDArray[np.uint16]:
        """Bins of one output between its breakpoints."""
        row = self.rows[output]
        return self.codes[row, : self.sizes[row] + 1]

    def passed(self, preactivations: NDArray[np.float64], side: str) -> NDArray[np.intp]:
        """How many breakpoints lie below each output's pre-activation, (n_out,); `side` as in `searchsorted`."""
        if len(self.sizes) == 1:
            return np.searchsorted(self.breaks_of(0), preactivations, side=side)  # type: ignore[call-overload]
        met = np.less if side == "left" else np.less_equal
        return met(self.breaks[self.rows], preactivations[:, None]).sum(axis=1)

    def probabilities(self, cdfs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probability of every bin, (n_out, n_bins + 1), the last one that of `outside`.

        Parameters
        ----------
        cdfs : ndarray (n_out, K)
            Of each output's pre-activation at its breakpoints; 1 beyond them.
        """
        pieces = np.diff(np.maximum.accumulate(cdfs, axis=1), prepend=0.0, append=1.0)
        p = np.zeros((len(self.rows), self.n_bins + 1))
        codes = self.codes[self.rows]
        outputs = np.arange(len(self.rows))
        for k in range(pieces.shape[1]):
            p[outputs, codes[:, k]] += pieces[:, k]
        return p
