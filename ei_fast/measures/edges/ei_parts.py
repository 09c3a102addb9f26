"""EI_parts: what each edge carries while all inputs move, exactly."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ei_fast.kernels.parts import edges_parts
from ei_fast.measures.constants import EI_PARTS_TASK_WORK
from ei_fast.measures.edges.drawn_inputs import parts_into
from ei_fast.measures.edges.estimate import EdgeEstimate
from ei_fast.measures.edges.matrices import Target
from ei_fast.measures.options import MeasureOptions
from ei_fast.measures.stages import Arrays, Method, Stage
from ei_fast.network.binned import BinnedLayer
from ei_fast.runtime.threads import Threads


def exact_ei_parts(binned: BinnedLayer, options: MeasureOptions) -> Method[EdgeEstimate]:
    """I(X_i; Y_j) in bits with every input uniform, or as its histogram says, (n_in, n_out); their sum is EI_parts.

    Notes
    -----
    Exact to about 1e-10: the pre-activation given one input's bin is a sum of uniforms (Mattsson et al. 2020,
    section 2.4, whose estimate has this as its limit), or of uniforms and of numbers on lattices. NaN where an output
    is dropped whatever the input.
    """
    with Target.of(binned, "ei_parts", options) as target:
        (found,) = yield EdgeParts(binned, target)
        matrix = found.T
        matrix[:, binned.outputs_never_kept()] = np.nan
        return EdgeEstimate.exact(target.kept(matrix))


@dataclass(frozen=True)
class EdgeParts(Stage):
    """I(X_i; Y_j) in bits of every edge, (n_out, n_in): the items are outputs."""

    binned: BinnedLayer
    target: Target | None = None

    @property
    def name(self) -> str:
        return "ei-parts"

    @property
    def n_items(self) -> int:
        return self.binned.layer.n_out

    def compute(self, begin: int, end: int, threads: Threads) -> Arrays:
        binned = self.binned
        weight, steps, (low, high) = binned.weight, binned.steps, binned.span
        n_in = len(weight)
        centres = binned.bias + 0.5 * (low + high) * weight.sum(axis=0)
        moving = binned.outputs_that_move()
        n_columns = max(1, EI_PARTS_TASK_WORK // (n_in * binned.in_bins))
        found = self._target.empty(end - begin)

        def of_drawn_inputs(output: int) -> None:
            weights = np.where(moving[output], weight[:, output], 0.0)
            found[:, output - begin] = parts_into(binned, output, weights)

        if binned.histograms is not None:
            threads.map(of_drawn_inputs, range(begin, end), title="EI_parts of edges")
            return (found.T,)

        def columns(first: int) -> None:
            stop = min(first + n_columns, end)
            weights = np.where(moving[first:stop], weight[:, first:stop], 0.0).T.copy()
            out = np.empty(weights.shape)
            orders = np.argsort(-np.abs(weights), axis=1, kind="stable")
            edges_parts(
                weights,
                orders,
                centres[first:stop],
                high - low,
                binned.in_bins,
                steps.breaks,
                steps.sizes,
                steps.codes,
                steps.rows[first:stop],
                steps.outside,
                steps.n_bins + 1,
                out,
            )
            found[:, first - begin : stop - begin] = out.T

        threads.map(columns, range(begin, end, n_columns), title="EI_parts of edges")
        return (found.T,)

    def join(self, parts: Sequence[Arrays]) -> Arrays:
        return (self._target.joined([found.T for (found,) in parts]).T,)

    @property
    def _target(self) -> Target:
        return self.target or Target.of(self.binned, "ei_parts", MeasureOptions())
