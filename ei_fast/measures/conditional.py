"""Joint EI by the conditional estimator: EI = H(Y) - H(Y | X), X never counted.

Y is a function of x, so H(Y | X) is the plain average over input cells of the entropy of Y inside
one; H(Y) comes from samples over the whole input range (mathematics: Mattsson et al. 2020, eq. 2, by
the chain rule). Where the cells are few every one is visited and the same samples serve both
entropies; otherwise cells are drawn.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ei_fast.intervention.do import Intervention
from ei_fast.intervention.streams import Stream
from ei_fast.kernels.counting import HALVES, PLUGIN, SINGLES, WHOLE, cell_entropies, information_variance
from ei_fast.measures.bounds import bracketed_ei
from ei_fast.measures.entropy import (
    LEFT_OVER,
    SECOND_ORDER,
    Entropy,
    count_keys,
    entropy_of_counts,
    entropy_of_keys,
    grassberger_weights,
)
from ei_fast.measures.estimate import JointEI
from ei_fast.parallel import Workers

MAX_POINTS = 2**24
"""Points that one part of a layer is given at the most ..."""
MAX_WORK = 2**34
"""... and multiply-adds, whichever is less: beyond it `tol` is given up."""

MIN_COVERAGE = 0.9
"""Good-Turing coverage below which no entropy is reported as if it were known."""

_TASK_POINTS = 2**16
_MAX_ENUMERATED_CELLS = 2**15
_MAX_ENUMERATED_POINTS = 2**22
_PILOT_CELLS, _PILOT_POINTS = 512, 2**15
_HOPELESS_COVERAGE = 0.05
_BOUNDED_CELLS = 256
_MIN_POINTS, _MAX_POINTS_A_CELL = 64, 4096
_BIAS_SHARE, _STDERR_SHARE = 0.3, 0.75
"""Parts of `tol` given to the bias of each entropy and to the standard error; what is left is reserve."""


@dataclass(frozen=True)
class Cells:
    """Entropies inside a sample of cells: `statistics` (r, 4) as from the kernel `cell_entropies`."""

    statistics: NDArray[np.float64]
    m: int

    @property
    def entropies(self) -> NDArray[np.float64]:
        """Corrected entropy of every cell: what the halves are below the whole is missing once more."""
        return 2.0 * self.statistics[:, WHOLE] - self.statistics[:, HALVES]

    @property
    def bias(self) -> float:
        """Size of the bias that may be left in the mean of `entropies`."""
        return LEFT_OVER * abs(float(np.mean(self.statistics[:, WHOLE] - self.statistics[:, HALVES])))

    @property
    def coverage(self) -> float:
        """Mean Good-Turing coverage inside a cell."""
        return 1.0 - float(np.mean(self.statistics[:, SINGLES])) / self.m

    @property
    def plugin(self) -> NDArray[np.float64]:
        """Uncorrected entropy of every cell: in expectation not above the true one."""
        return self.statistics[:, PLUGIN]


def conditional_ei(intervention: Intervention, tol: float, n_samples: int | None, workers: Workers) -> JointEI:
    """Joint EI of a connected part of a layer.

    Parameters
    ----------
    tol : float
        Bits: the root of (standard error**2 + bias**2) to aim for.
    n_samples : int or None
        All simulated points, in place of what `tol` asks for.
    """
    cells = 2.0**intervention.log2_cells if intervention.log2_cells < 62 else np.inf
    most = _MAX_ENUMERATED_CELLS if n_samples is None else min(_MAX_ENUMERATED_CELLS, n_samples // _MIN_POINTS)
    if cells <= most:
        return _by_every_cell(intervention, round(cells), tol, n_samples, workers)
    return _by_drawn_cells(intervention, tol, n_samples, workers)


def _by_every_cell(
    intervention: Intervention, n_cells: int, tol: float, n_samples: int | None, workers: Workers
) -> JointEI:
    if n_samples is not None:
        return _every_cell(intervention, n_cells, n_samples // n_cells, workers)
    m = _MIN_POINTS
    while m * n_cells < _PILOT_POINTS:
        m *= 2
    ceiling = min(_MAX_ENUMERATED_POINTS, _points_ceiling(intervention))
    while True:
        estimate = _every_cell(intervention, n_cells, m, workers)
        if estimate.error <= tol or estimate.undersampled or 2 * m * n_cells > ceiling:
            return estimate
        # The error falls as 1/sqrt(m) at least: go straight to where it should do.
        while m * n_cells * 2 <= ceiling:
            m *= 2
            if estimate.error * np.sqrt(estimate.n_samples / (m * n_cells)) <= _STDERR_SHARE * tol:
                break


def _every_cell(intervention: Intervention, n_cells: int, m: int, workers: Workers) -> JointEI:
    """All cells with m points in each, which together are a stratified sample of the whole range."""
    weights = grassberger_weights(m + 1)
    per_task = max(1, _TASK_POINTS // m)

    def visit(first: int) -> tuple[NDArray[np.uint64], NDArray[np.float64]]:
        chosen = intervention.enumerated_cells(first, min(per_task, n_cells - first))
        keys = intervention.keys_inside(Stream.POINTS, first * m, chosen, m)
        statistics = np.empty((len(chosen), 4))
        cell_entropies(keys, weights, statistics)
        return keys, statistics

    visited = workers.map(visit, range(0, n_cells, per_task))
    inside = Cells(np.concatenate([statistics for _, statistics in visited]), m)
    halves = (np.concatenate([keys[:, half].ravel() for keys, _ in visited]) for half in np.s_[: m // 2, m // 2 :])
    states, counts = count_keys(*halves)
    output = entropy_of_counts(counts)
    log_probability = np.log2(counts.sum(axis=1) / (n_cells * m))

    def spread(keys: NDArray[np.uint64]) -> NDArray[np.float64]:
        variance = np.empty(len(keys))
        information_variance(keys, states, log_probability, SECOND_ORDER, variance)
        return variance

    variance = np.concatenate(workers.map(spread, [keys for keys, _ in visited]))
    # Every cell is there: only what varies inside them is an error.
    second_order = SECOND_ORDER * len(states) / (n_cells * m) ** 2 if len(states) > 1 else 0.0
    stderr = float(np.sqrt(variance.sum() / n_cells**2 + second_order))
    return _finish(intervention, output, inside, stderr, n_cells * m, workers)


def _by_drawn_cells(intervention: Intervention, tol: float, n_samples: int | None, workers: Workers) -> JointEI:
    if n_samples is not None:
        m = _MIN_POINTS if n_samples >= 16 * _MIN_POINTS else 16
        n_cells = max(2, n_samples // 2 // m)
        return _drawn_cells(intervention, n_cells, m, max(2, n_samples - n_cells * m), workers)
    n_cells, m, n = _sizes_from_pilot(intervention, tol, workers)
    while True:
        estimate = _drawn_cells(intervention, n_cells, m, n, workers)
        grown = 2 * (n_cells * m + n)
        if estimate.error <= tol or estimate.undersampled or grown > _points_ceiling(intervention):
            return estimate
        # The pilot was too hopeful: bias falls with the points in a cell and in the marginal, the rest with all.
        if m < _MAX_POINTS_A_CELL and estimate.bias > _BIAS_SHARE * tol:
            m, n = 2 * m, 2 * n
        else:
            n_cells, n = 2 * n_cells, 2 * n


def _drawn_cells(intervention: Intervention, n_cells: int, m: int, n: int, workers: Workers) -> JointEI:
    """`n_cells` cells with `m` points in each for H(Y | X), and `n` points anywhere for H(Y)."""
    output = _anywhere(intervention, Stream.MARGINAL, n, workers)
    inside = _drawn(intervention, (Stream.CELLS, Stream.POINTS), n_cells, m, workers)
    spread = float(inside.entropies.std(ddof=1)) / np.sqrt(n_cells)
    return _finish(intervention, output, inside, float(np.hypot(output.stderr, spread)), n + n_cells * m, workers)


def _sizes_from_pilot(intervention: Intervention, tol: float, workers: Workers) -> tuple[int, int, int]:
    """Cells, points in each and points anywhere for which the cost is least, from a pilot of its own streams."""
    pilot = _drawn(intervention, (Stream.PILOT_CELLS, Stream.PILOT_POINTS), _PILOT_CELLS, _MIN_POINTS, workers)
    output = _anywhere(intervention, Stream.PILOT_MARGINAL, _PILOT_POINTS, workers)
    ceiling = _points_ceiling(intervention)
    if output.coverage < _HOPELESS_COVERAGE:
        # Bounds are all there will be, and they gain little from more points.
        n = min(ceiling // 2, 2**18)
        return _BOUNDED_CELLS, max(_MIN_POINTS, n // _BOUNDED_CELLS), n
    m = _MIN_POINTS
    # The bias inside cells falls as 1/m.
    while pilot.bias * _MIN_POINTS / m > _BIAS_SHARE * tol and m < _MAX_POINTS_A_CELL:
        m *= 2
    # Minimise n_cells m + n with spread_cells**2 / n_cells + spread_output**2 / n = variance.
    spread_cells = max(float(pilot.entropies.std(ddof=1)), 0.05)
    spread_output = output.stderr * np.sqrt(output.n_samples)
    scale = (spread_cells * np.sqrt(m) + spread_output) / (_STDERR_SHARE * tol) ** 2
    n_cells = scale * spread_cells / np.sqrt(m)
    n = max(scale * spread_output, _PILOT_POINTS)
    shrink = min(1.0, ceiling / (n_cells * m + n))
    return max(16, int(n_cells * shrink)), m, int(n * shrink)


def _points_ceiling(intervention: Intervention) -> int:
    return min(MAX_POINTS, max(2**16, MAX_WORK // intervention.work))


def _drawn(intervention: Intervention, streams: tuple[Stream, Stream], n_cells: int, m: int, workers: Workers) -> Cells:
    weights = grassberger_weights(m + 1)
    per_task = max(1, _TASK_POINTS // m)

    def visit(first: int) -> NDArray[np.float64]:
        chosen = intervention.drawn_cells(streams[0], first, min(per_task, n_cells - first))
        statistics = np.empty((len(chosen), 4))
        cell_entropies(intervention.keys_inside(streams[1], first * m, chosen, m), weights, statistics)
        return statistics

    return Cells(np.concatenate(workers.map(visit, range(0, n_cells, per_task))), m)


def _anywhere(intervention: Intervention, stream: Stream, n: int, workers: Workers) -> Entropy:
    def visit(first: int) -> NDArray[np.uint64]:
        return intervention.keys_anywhere(stream, first, min(_TASK_POINTS, n - first))

    keys = np.concatenate(workers.map(visit, range(0, n, _TASK_POINTS)))
    return entropy_of_keys(keys[: n // 2], keys[n // 2 :])


def _finish(
    intervention: Intervention, output: Entropy, inside: Cells, stderr: float, n_samples: int, workers: Workers
) -> JointEI:
    """The estimate, or bounds where either entropy is undersampled."""
    if min(output.coverage, inside.coverage) < MIN_COVERAGE:
        return bracketed_ei(intervention, output, inside.plugin, n_samples, workers)
    conditional = float(inside.entropies.mean())
    return JointEI.sampled(output.value, conditional, stderr, output.bias + inside.bias, n_samples)
