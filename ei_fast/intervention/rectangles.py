"""Output states of a dense layer as rectangles of pre-activations, sampled over all inputs or inside input cells.

H(Y) = E[-log2 P(Y)] with P(y) the probability that uniform inputs lead into the rectangle of the state y. H(Y | X) is
the same with inputs that move inside one cell: their weights are as much smaller, and the pre-activations' means those
of the cell.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ei_fast.intervention.dense import DenseIntervention
from ei_fast.intervention.do import Intervention
from ei_fast.intervention.streams import Stream
from ei_fast.kernels.annealing import NO_WEIGHT
from ei_fast.kernels.covariances import cholesky_of, covariance_of, excess_of_squares, trace_of_inverse
from ei_fast.kernels.rectangles import FAR, marginal_surprise, sample_rectangles

Rows = NDArray[np.float64]

_PARALLEL = 1e-9
"""Largest difference of two unit vectors of weights that are taken to be the same."""

_MIN_EIGENVALUE = 1e-4
"""Eigenvalue of the outputs' correlation matrix below which it is as good as singular."""

_NO_PIVOT = 1e-6
"""Pivot of a Cholesky factor below which the matrix was not positive definite."""

_RIDGE = 0.04
"""What is added to the variances of such outputs before their correlation matrix is inverted for the control."""

_SHARE_OF_SQUARES = 0.5
"""Bits of the control to a unit of z^T K^-1 z - z^T z. By regression it is 0.39 to 0.53 for trained and random layers;
1 / (2 ln 2) = 0.72 would be right if bins were narrow and without ends."""


@dataclass(frozen=True)
class SampledStates:
    """Sampled inputs and the states that they lead to.

    Attributes
    ----------
    x : ndarray (r, n_in)
        Inputs on (-1/2, 1/2), in units of the width over which each moves.
    low, high : ndarray (r, m)
        Ends of the intervals that the pre-activations are in, relative to their means and in units of their standard
        deviations.
    control : ndarray (r,)
        A control variate of -log2 P(state), in bits: the sum of the outputs' own -log2 P; anywhere the exact ones,
        and in addition a quadratic form of the pre-activations for what outputs have in common; inside cells those of
        Gaussians.
    """

    x: Rows
    low: Rows
    high: Rows
    control: NDArray[np.float64]


class Rectangles:
    """Sampled output states, and what is needed to find the probability of each.

    Outputs with proportional weights are one: their intervals intersect.

    Parameters
    ----------
    do : DenseIntervention
    inside : bool
        Whether samples fall inside input cells that are drawn; otherwise anywhere.
    """

    def __init__(self, do: DenseIntervention, inside: bool):
        self._do = do
        self.is_inside = inside
        low, high = do.in_range
        width = np.full(do.n_in, high - low)
        if inside:
            width[do.inputs] /= do.in_bins
        self._weight = do.weight * width[:, None]
        self._sds = np.sqrt((self._weight**2).sum(axis=0) / 12)
        self._signs, self._leaders = _proportional(self._weight)

    @property
    def name(self) -> str:
        """Different for every component and entropy of a layer."""
        return f"{self._do.name}-{'inside' if self.is_inside else 'anywhere'}"

    @property
    def n_in(self) -> int:
        """Number of inputs."""
        return self._do.n_in

    @property
    def n_out(self) -> int:
        """Number of outputs."""
        return self._do.n_out

    def bounded_outputs(self, first: int, count: int) -> float:
        """Outputs with an edge that matters, on average over samples number first, ..."""
        _, _, low, high = self._ends(first, count)
        return float(((low > -FAR) | (high < FAR)).sum(axis=1).mean())

    @cached_property
    def outputs(self) -> NDArray[np.intp]:
        """Numbers of the outputs that are not proportional to one before them, (m,)."""
        return np.unique(self._leaders)

    @cached_property
    def weight(self) -> NDArray[np.float64]:
        """Weights (n_in, m) of these outputs, in units of each one's standard deviation."""
        return np.ascontiguousarray(self._weight[:, self.outputs] / self._sds[self.outputs])

    @cached_property
    def inverse(self) -> NDArray[np.float64]:
        """One over each weight; NO_WEIGHT where it is 0."""
        inverse = np.full(self.weight.shape, NO_WEIGHT)
        np.divide(1.0, self.weight, out=inverse, where=np.abs(self.weight) > 1 / NO_WEIGHT)
        return inverse

    @cached_property
    def covariance(self) -> NDArray[np.float64]:
        """Correlations (m, m) of these outputs."""
        # Not by BLAS, whose sums depend on how many threads it has.
        covariance = np.empty((len(self.outputs), len(self.outputs)))
        covariance_of(self.weight, covariance)
        np.fill_diagonal(covariance, 1.0)
        return covariance

    @cached_property
    def is_singular(self) -> bool:
        """Whether some output is, or nearly is, a linear function of others."""
        n_in, m = self.weight.shape
        if m > n_in:
            return True
        # Without the least eigenvalue that it may have a regular matrix is still positive definite. The eigenvalues
        # themselves take BLAS ten times as long, and far longer on a busy machine.
        factor = np.zeros_like(self.covariance)
        cholesky_of(self.covariance, -_MIN_EIGENVALUE, factor)
        return bool(factor.diagonal().min() < _NO_PIVOT)

    @cached_property
    def control_mean(self) -> float | None:
        """Mean of the samples' `control` in bits; None where it has to be estimated."""
        if self.is_inside:
            return None
        do = self._do
        # The mean of z^T A z is the trace of A K; here A = (K + ridge)^-1 - 1, and the trace of K is m.
        squares = -self._ridge * float(trace_of_inverse(self._factor))
        return float(np.sum(do.output_probabilities * do.output_surprise)) + _SHARE_OF_SQUARES * squares

    @property
    def _ridge(self) -> float:
        return _RIDGE if self.is_singular else 0.0

    @cached_property
    def _factor(self) -> NDArray[np.float64]:
        """Cholesky factor of the covariance, with the ridge."""
        factor = np.zeros_like(self.covariance)
        cholesky_of(self.covariance, self._ridge, factor)
        return factor

    def sampled(self, first: int, count: int) -> SampledStates:
        """Samples number first, first + 1, ..."""
        x, codes, low, high = self._ends(first, count)
        return SampledStates(x, low, high, self._control(x, codes, low, high))

    def _ends(self, first: int, count: int) -> tuple[Rows, NDArray[np.uint16], Rows, Rows]:
        """Inputs, codes and ends of intervals of samples number first, first + 1, ..."""
        do = self._do
        stream = Stream.ANNEALED_POINTS if self.is_inside else Stream.ANNEALED
        if self.is_inside:
            cells = do.drawn_cells(Stream.ANNEALED_CELLS, first, count)
        else:
            cells = np.full((count, do.n_in), do.in_bins, np.int32)
        steps, shape = do.steps, (count, do.n_out)
        x, codes = np.empty((count, do.n_in)), np.empty(shape, np.uint16)
        low, high = np.empty(shape), np.empty(shape)
        sample_rectangles(
            do.stream_keys(stream),
            first,
            self._weight,
            do.centres(cells),
            self._sds,
            steps.breaks,
            steps.sizes,
            steps.codes,
            steps.rows,
            x,
            codes,
            low,
            high,
        )
        self._intersect(low, high)
        low, high = (np.ascontiguousarray(ends[:, self.outputs]) for ends in (low, high))
        return x, codes, low, high

    def _control(self, x: Rows, codes: NDArray[np.uint16], low: Rows, high: Rows) -> NDArray[np.float64]:
        if not self.is_inside:
            squares = np.empty(len(x))
            excess_of_squares(self._factor, self.weight, x, squares)
            own: NDArray[np.float64] = self._do.output_surprise[np.arange(self._do.n_out), codes].sum(axis=1)
            return own + _SHARE_OF_SQUARES * squares
        surprise = np.empty(len(low))
        marginal_surprise(low, high, surprise)
        return surprise / float(np.log(2.0))

    def _intersect(self, low: Rows, high: Rows) -> None:
        """Let the interval of each leader be the intersection of those of all that are proportional to it."""
        for j, leader in enumerate(self._leaders):
            if j != leader:
                ends = (low[:, j], high[:, j]) if self._signs[j] > 0 else (-high[:, j], -low[:, j])
                np.maximum(low[:, leader], ends[0], out=low[:, leader])
                np.minimum(high[:, leader], ends[1], out=high[:, leader])

    def keys(self, first: int, count: int) -> NDArray[np.uint64]:
        """Keys (r,) of the streams from which draws in the rectangles of samples number first, ... come."""
        return self._do.sample_keys(Stream.ANNEALED_CHAINS, int(self.is_inside), first, count)


def _proportional(weight: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    """Sign, and the first output to which it is proportional, of every output: (n_out,) each."""
    n_out = weight.shape[1]
    units = weight / np.sqrt((weight**2).sum(axis=0))
    signs = np.where(units[np.abs(units).argmax(axis=0), np.arange(n_out)] < 0, -1, 1)
    units = units * signs
    leaders = np.arange(n_out)
    # Neighbours in the order of any one function of the weights are the only ones that can be the same.
    mark = (units * np.cos(np.arange(1, len(units) + 1))[:, None]).sum(axis=0)
    order = np.argsort(mark, kind="stable")
    for k, j in enumerate(order):
        for i in order[k + 1 :]:
            if mark[i] - mark[j] > _PARALLEL * np.sqrt(len(units)):
                break
            if np.abs(units[:, i] - units[:, j]).max() < _PARALLEL:
                first, second = sorted((leaders[i], leaders[j]))
                leaders[leaders == second] = first
    return signs * signs[leaders], leaders


def states_are_rectangles(intervention: Intervention) -> bool:
    """Whether every state of every output, of what it reaches, is one interval of its pre-activation."""
    if not isinstance(intervention, DenseIntervention) or intervention.drop:
        return False
    steps = intervention.steps
    return all(_are_intervals(steps.codes[row, : steps.sizes[row] + 1]) for row in set(steps.rows.tolist()))


def _are_intervals(codes: NDArray[np.uint16]) -> bool:
    """Whether no code of a step function comes back once it has been left."""
    up, down = codes[1:] > codes[:-1], codes[1:] < codes[:-1]
    # Of a monotone one, which most are, that is plain.
    return not (up.any() and down.any()) or len(np.unique(codes)) == 1 + np.count_nonzero(up | down)
