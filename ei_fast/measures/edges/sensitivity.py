"""Sensitivity: what each edge alone can carry, exactly."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ei_fast.kernels.edges import sensitivity_edges
from ei_fast.measures.constants import SENSITIVITY_TASK_EDGES, SENSITIVITY_TASK_OUTPUTS
from ei_fast.measures.edges.drawn_inputs import sensitivity_into
from ei_fast.measures.edges.estimate import EdgeEstimate
from ei_fast.measures.edges.matrices import Target
from ei_fast.measures.options import MeasureOptions
from ei_fast.measures.stages import Arrays, Method, Stage
from ei_fast.network.binned import BinnedLayer
from ei_fast.runtime.threads import Threads


def exact_sensitivity(binned: BinnedLayer, options: MeasureOptions) -> Method[EdgeEstimate]:
    """I(X_i; Y_j) in bits with only x_i uniform, or as its histogram says, the others at the baseline, (n_in, n_out).

    Notes
    -----
    The layer's sensitivity is the sum (Mattsson et al. 2020, section 2.3). Exact to rounding. NaN where an
    output is dropped whatever the input.
    """
    with Target.of(binned, "sensitivity", options) as target:
        (matrix,) = yield EdgeSensitivity(binned, target)
        return EdgeEstimate.exact(target.kept(matrix))


@dataclass(frozen=True)
class EdgeSensitivity(Stage):
    """Sensitivity in bits of every edge, (n_in, n_out): the items are outputs."""

    binned: BinnedLayer
    target: Target

    @property
    def name(self) -> str:
        return "sensitivity"

    @property
    def n_items(self) -> int:
        return self.binned.layer.n_out

    def compute(self, begin: int, end: int, threads: Threads) -> Arrays:
        binned = self.binned
        weight, bias, steps = binned.weight, binned.bias, binned.steps
        n_in = len(weight)
        edges, n_columns = binned.in_edges, max(SENSITIVITY_TASK_OUTPUTS, SENSITIVITY_TASK_EDGES // n_in)
        found = self.target.empty(end - begin)

        def of_drawn_inputs(output: int) -> None:
            found[:, output - begin] = sensitivity_into(binned, output, weight[:, output])

        if binned.histograms is not None:
            threads.map(of_drawn_inputs, range(begin, end), title="sensitivity of edges")
            return (found,)

        def columns(first: int) -> None:
            stop = min(first + n_columns, end)
            # Copies: kernels are compiled for writable arrays, and once.
            columns_weight, columns_bias = weight[:, first:stop].copy(), bias[first:stop].copy()
            out = np.empty(columns_weight.shape)
            sensitivity_edges(
                columns_weight,
                columns_bias,
                binned.baselines,
                edges,
                steps.breaks,
                steps.sizes,
                steps.codes,
                steps.rows[first:stop],
                steps.n_bins + 1,
                steps.outside,
                out,
            )
            found[:, first - begin : stop - begin] = out

        threads.map(columns, range(begin, end, n_columns), title="sensitivity of edges")
        return (found,)

    def join(self, parts: Sequence[Arrays]) -> Arrays:
        return (self.target.joined([found for (found,) in parts]),)
