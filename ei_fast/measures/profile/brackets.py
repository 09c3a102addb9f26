"""Bounds on what an input tells where the states of all outputs cannot be counted.

What an input tells about some of the outputs is a lower bound on what it tells about all: about as many as can be
counted, those that move with it most. Since the inputs are independent, what it tells once all others are known is an
upper bound on what it tells alone.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ei_fast.intervention.do import Codes, Intervention
from ei_fast.intervention.streams import Stream
from ei_fast.measures.constants import MIN_COVERAGE
from ei_fast.measures.options import MeasureOptions
from ei_fast.measures.profile.constants import (
    BRACKET_BITS,
    BRACKET_CODES,
    BRACKET_POINTS,
    FEWEST_BRACKET_POINTS,
    MAX_BRACKET_PAIRS,
)
from ei_fast.measures.profile.figure import Figure
from ei_fast.measures.profile.freed import Freed, freed
from ei_fast.measures.profile.pairs import PooledStates
from ei_fast.measures.stages import Arrays, Method, Named, SimulationStage
from ei_fast.runtime.threads import Threads


@dataclass(frozen=True, eq=False)
class LeastOfInputs(SimulationStage):
    """Lower bounds (n_in,), bits, on I(X_i; Y), each with 97.5 % confidence."""

    intervention: Intervention
    n_samples: int | None

    @property
    def name(self) -> str:
        return f"{self.intervention.name}-least-of-inputs"

    @property
    def n_items(self) -> int:
        return self.intervention.n_in

    @property
    def n_points(self) -> int:
        """Points of the pool."""
        do, wanted = self.intervention, self.n_samples or BRACKET_POINTS
        most = max(FEWEST_BRACKET_POINTS, MAX_BRACKET_PAIRS // do.n_in)
        return min(wanted, BRACKET_POINTS, most, max(FEWEST_BRACKET_POINTS, BRACKET_CODES // do.n_out))

    def compute(self, begin: int, end: int, threads: Threads) -> Arrays:
        do, n = self.intervention, self.n_points
        _, outputs = do.codes_anywhere(Stream.POOL, 0, n)
        # Means of rows are added up in one order.
        deviations = outputs - outputs.mean(axis=1, keepdims=True)
        spreads = np.sqrt((deviations**2).sum(axis=1))
        n_outputs = max(1, int((BRACKET_BITS - np.log2(do.in_bins)) / max(np.log2(do.out_bins), 1.0)))

        def of_input(i: int) -> float:
            codes = do.input_codes_anywhere(i, Stream.POOL, 0, n)
            together = np.abs((deviations * (codes - codes.mean())).sum(axis=1)) / np.maximum(spreads, 1e-300)
            order = np.argsort(-together, kind="stable")
            return _least(outputs[order[:n_outputs]], codes, do.out_bins, do.in_bins)

        return (np.array(threads.map(of_input, range(begin, end))),)


def _least(outputs: Codes, codes: Codes, out_bins: int, in_bins: int) -> float:
    """What an input tells about the first of some outputs, as many as are counted well; less its error."""
    for count in range(len(outputs), 0, -1):
        keys = np.zeros(outputs.shape[1], np.uint64)
        for of_output in outputs[:count]:
            keys = keys * np.uint64(out_bins) + of_output
        found, influence = PooledStates.of(keys).information(codes, in_bins, min(len(keys), 2**14))
        if found.coverage >= MIN_COVERAGE and not found.without_end:
            stderr = float(np.sqrt(influence.var() / len(keys)))
            return max(Figure.estimated(found.value, stderr, found.model_error).low, 0.0)
    return 0.0


def least_given(do: Intervention, options: MeasureOptions) -> Method[NDArray[np.float64]]:
    """Lower bounds (n_in,), bits, on I(X_i; Y | X_others): of the outputs with most entropy, as many as are counted."""
    entropies = do.output_entropies
    order = np.arange(do.n_out) if entropies is None else np.argsort(-entropies, kind="stable")
    count = do.n_out // 2
    while count:
        some = do.restricted(np.sort(order[:count]))
        cells: Freed | None = yield Named(f"some-{count}-outputs", freed(some, options))
        if cells is not None and cells.resolved:
            return np.array([max(figure.low, 0.0) for figure in cells.figures.each])
        count //= 2
    return np.zeros(do.n_in)


def bracketed(least: NDArray[np.float64], most: list[float]) -> list[Figure]:
    """Between a lower and an upper bound on each input."""
    return [Figure.bracketed(min(float(low), high), high) for low, high in zip(least, most, strict=True)]
