"""Control variates of both entropies of a dense layer.

Inside a cell: the entropies of the single outputs, their pre-activations taken as Gaussian, added up. It
moves with the joint entropy from cell to cell, needs no sample, and need not be accurate: its mean
over all cells is known exactly, so that subtracting what a sample of cells has in excess of it adds no
bias. Where samples are dropped that mean is taken over far more cells than are entered (double sampling:
Cochran, Sampling Techniques, 1977, chapter 12). Of the whole output: the sum over outputs of -log2 P(Y_j), whose mean
is the sum of the exact H(Y_j).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ei_fast.intervention.dense import DenseIntervention
from ei_fast.intervention.do import Cells, Intervention
from ei_fast.kernels.controls import (
    add_gaussian_entropies,
    add_kept_entropies,
    faded_entropies,
    lattice_characteristic,
    mark_codes,
    sums_by_code,
)
from ei_fast.kernels.keys import WORD_BITS
from ei_fast.measures.constants import MAX_CONTROL_WORK
from ei_fast.measures.counting.counts import Counts
from ei_fast.runtime.threads import Threads

_PAD = 8.0
"""Standard deviations beyond what the sum reaches at which its entropy is faded out to 0."""
_STEP = 0.2
"""Grid of the Fourier series, in standard deviations: g has no finer detail."""
_NEGLIGIBLE = 1e-12
"""Terms of the series below this share of the largest are left out."""
_FEWEST_SHARED_EDGES = 256
"""Edges of a layer from which on the outputs' means are shared out among threads."""


def _spreads_inside(do: DenseIntervention) -> NDArray[np.float64]:
    """Standard deviation of every pre-activation inside a cell, (n_out,)."""
    width = (do.in_range[1] - do.in_range[0]) / do.in_bins
    spreads: NDArray[np.float64] = np.sqrt((do.weight**2).sum(axis=0) * width**2 / 12)
    return spreads


class CellControl:
    """Sum over outputs of the entropy of a Gaussian pre-activation inside a cell, in bits.

    Attributes
    ----------
    mean : float
        Its exact average over all cells.
    """

    def __init__(self, do: DenseIntervention, threads: Threads):
        self._do = do
        width = (do.in_range[1] - do.in_range[0]) / do.in_bins
        self._spreads = _spreads_inside(do)
        centre = do.bias + 0.5 * sum(do.in_range) * do.weight.sum(axis=0)

        def mean_of(j: int) -> float:
            return self._mean_of_output(do.weight[:, j] * width, centre[j], self._spreads[j], do.steps.breaks_of(j))

        # Outputs of small layers are done before a thread has begun to help.
        at_once = None if do.n_in * do.n_out >= _FEWEST_SHARED_EDGES else 1
        self.mean = sum(threads.map(mean_of, range(do.n_out), at_once))

    def __call__(self, cells: Cells) -> NDArray[np.float64]:
        """The control in each cell, (r,)."""
        out = np.zeros(len(cells))
        steps = self._do.steps
        add_gaussian_entropies(self._do.centres(cells), self._spreads, steps.breaks, steps.sizes, steps.rows, out)
        return out

    def _mean_of_output(
        self, spacings: NDArray[np.float64], centre: float, spread: float, breaks: NDArray[np.float64]
    ) -> float:
        """Mean of one output's entropy g(C), C the sum of uniforms on lattices that the cells' middles are.

        g is smooth on the scale of `spread`: faded out beyond what C reaches it is a short Fourier series,
        and the mean of each of its terms is C's characteristic function.
        """
        spacings = spacings[spacings != 0.0]
        reach = 0.5 * (self._do.in_bins - 1) * np.abs(spacings).sum()
        half = reach + _PAD * spread
        size = 1 << int(np.ceil(np.log2(2 * half / (_STEP * spread))))
        g = np.empty(size)
        faded_entropies(centre, spread, breaks, reach, half, g)
        series = 2 * np.fft.rfft(g).real / size
        series[1::2] *= -1
        series[0] /= 2
        terms = (
            int(np.flatnonzero(np.abs(series) > _NEGLIGIBLE * np.abs(series).max(initial=1e-300)).max(initial=0)) + 1
        )
        phi = np.empty(terms)
        lattice_characteristic(spacings, self._do.in_bins, np.pi / half, phi)
        return float(series[:terms] @ phi)


class KeptControl:
    """Sum over outputs of the entropy, in bits, of a Gaussian pre-activation inside a cell among what the output keeps.

    Attributes
    ----------
    mean : None
        Over cells that weigh by what they keep it is not known: it is estimated, from more cells than are entered.
    """

    mean = None

    def __init__(self, do: DenseIntervention):
        self._do, self._spreads = do, _spreads_inside(do)

    def __call__(self, cells: Cells) -> NDArray[np.float64]:
        """The control in each cell, (r,)."""
        out, do, steps = np.zeros(len(cells)), self._do, self._do.steps
        centres = do.centres(cells)
        add_kept_entropies(centres, self._spreads, steps.breaks, steps.sizes, steps.codes, steps.rows, do.outside, out)
        return out


class OutputControl:
    """Sum over outputs of -log2 P(Y_j) in bits, P exact.

    Attributes
    ----------
    mean : float
        Its exact mean, the sum of the outputs' entropies.
    """

    def __init__(self, do: DenseIntervention):
        self._code_width = do.code_width
        self._probabilities, self._surprise = do.output_probabilities, do.output_surprise
        self.mean = float(np.sum(self._probabilities * self._surprise))

    def __call__(self, counts: Counts) -> NDArray[np.float64]:
        """The control in each state, (K,): states are their own codes, which is why they must fit into 64 bits."""
        out = np.empty(len(counts.states))
        sums_by_code(counts.states, self._code_width, self._surprise, out)
        return out

    def missed(self, counts: Counts) -> tuple[float, float]:
        """What bins of single outputs that no sample met add to the mean, bits, and to the mean square, bits**2."""
        seen = np.zeros(self._surprise.shape, np.bool_)
        mark_codes(counts.states, self._code_width, seen)
        p, surprise = self._probabilities[~seen], self._surprise[~seen]
        return float(np.sum(p * surprise)), float(np.sum(p * surprise**2))

    @staticmethod
    def is_open_to(do: DenseIntervention) -> bool:
        """Whether the states of the intervention can be read back into codes."""
        return do.n_out <= WORD_BITS // do.code_width


@dataclass(frozen=True)
class Controls:
    """The control variates of an intervention; each is None where there is none."""

    cells: CellControl | KeptControl | None
    output: OutputControl | None

    def entropy_of(self, do: Intervention) -> float | None:
        """The output's entropy in bits where there is one output only: the mean of its control."""
        return self.output.mean if self.output is not None and do.n_out == 1 else None


NO_CONTROLS = Controls(None, None)


def controls_of(do: Intervention, threads: Threads) -> Controls:
    """The controls of a dense layer, where they cost less than they save."""
    if not isinstance(do, DenseIntervention) or not do.whole_cells:
        return NO_CONTROLS
    if do.drop:
        return Controls(KeptControl(do), None)
    cheap = do.n_in**1.5 * do.n_out * do.in_bins < MAX_CONTROL_WORK
    if OutputControl.is_open_to(do):
        do.know_outputs(threads)
    output = OutputControl(do) if OutputControl.is_open_to(do) else None
    return Controls(CellControl(do, threads) if cheap else None, output)
