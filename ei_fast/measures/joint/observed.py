"""I(X; Y) of inputs as they were observed: H(Y) less H(Y | X), the cells being those of the samples.

The rows are independent draws of a cell from whatever distribution they come from, so that the entropy inside their
cells averages to its H(Y | X), and one point inside each is a sample of its Y.
"""

import numpy as np

from ei_fast.intervention.do import Codes
from ei_fast.intervention.observed_inputs import ObservedInputs
from ei_fast.intervention.streams import Stream
from ei_fast.kernels.keys import NEVER, pack_codes
from ei_fast.measures.constants import MAX_POINTS_A_CELL, MIN_POINTS, Z95
from ei_fast.measures.counting.estimators import ZHANG_UNSEEN
from ei_fast.measures.counting.sampled import SampledEntropy, entropy_of_keys
from ei_fast.measures.entropies.allocation import Sizes
from ei_fast.measures.entropies.bounds import least_entropy
from ei_fast.measures.entropies.drawn_cells import CellDraws, sample_drawn_cells
from ei_fast.measures.entropies.ends import most_entropy
from ei_fast.measures.entropies.estimate import EntropyEstimate, half_width
from ei_fast.measures.entropies.sample import Sample, points_ceiling
from ei_fast.measures.joint.estimate import JointEI, compose
from ei_fast.measures.options import MeasureOptions
from ei_fast.measures.stages import InThreads, Method

NAME = "observed"


def observed_ei(do: ObservedInputs, n_rows: int, options: MeasureOptions) -> Method[JointEI]:
    """I(X; Y) in bits of the distribution that the rows come from, with points enough inside the cells.

    Where the rows do not show enough of the states of Y it is bracketed.
    """
    draws = CellDraws(do, options.estimator)
    ceiling = points_ceiling(do, options.effort) if options.n_samples is None else options.n_samples
    m, number = int(np.clip(ceiling // n_rows, 2, MIN_POINTS)), 0
    while True:
        # Of more rows than there may be points, the first: they are in random order.
        n_cells = max(2, min(n_rows, ceiling // m))
        sample = yield from sample_drawn_cells(draws, Sizes(n_cells, m, n_rows), 0.0, number)
        inside = sample.inside
        is_enough = inside.resolved and inside.bias + abs(inside.shift) <= options.tol / 4
        if is_enough or options.n_samples is not None or 4 * m > MAX_POINTS_A_CELL or 4 * m * n_cells > ceiling:
            break
        m, number = 4 * m, number + 1
    # The same rows are in both entropies: their errors may add up.
    stderr = sample.output.stderr + inside.stderr
    if sample.resolved:
        output, conditional = sample.entropies(do.most_output_bits)
        return compose(output, conditional, method=NAME, n_samples=sample.n_samples, stderr=stderr)
    return (yield from _bracketed(do, sample, n_rows))


def _bracketed(do: ObservedInputs, sample: Sample, n_rows: int) -> Method[JointEI]:
    """Bounds where an entropy is not resolved."""
    inside, most = sample.inside, do.most_output_bits
    output = yield InThreads(
        lambda threads: _between_bounds(sample.output, do.codes_anywhere(Stream.MARGINAL, 0, n_rows)[1], do.out_bins)
    )
    plugin = inside.mean(inside.plugin) - Z95 * inside.mean_stderr(inside.plugin)
    if inside.resolved:
        most = min(most, inside.mean(inside.entropies) + inside.shift + half_width(inside.stderr, inside.bias))
    conditional = EntropyEstimate.bounded(max(plugin, 0.0), max(most, plugin, 0.0), n_samples=inside.n_points)
    return compose(output, conditional, method=NAME, n_samples=sample.n_samples)


def _between_bounds(output: SampledEntropy, codes: Codes, out_bins: int) -> EntropyEstimate:
    """H(Y) between what its states show for sure and the sum over outputs, with bins `codes`, of their entropies."""
    bits = float(np.log2(out_bins))
    high = float(sum(most_entropy(of_output.astype(np.uint64), bits) for of_output in codes))
    low = max(least_entropy(output), 0.0)
    return EntropyEstimate.bounded(min(low, high), max(low, high), n_samples=output.n_samples)


def entropy_of_codes(codes: Codes, out_bins: int) -> EntropyEstimate:
    """Entropy in bits of the distribution that states (n_out, n) are drawn from; a bracket where few states repeat."""
    keys = np.empty(codes.shape[1], np.uint64)
    pack_codes(codes, (out_bins - 1).bit_length(), NEVER, keys)
    found = entropy_of_keys(keys, ZHANG_UNSEEN)
    if not found.resolved:
        return _between_bounds(found, codes, out_bins)
    return EntropyEstimate.estimated(
        found.value, found.stderr, found.bias, method=ZHANG_UNSEEN.name, n_samples=found.n_samples
    )
