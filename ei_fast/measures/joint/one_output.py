"""Exact EI of a component with one output, as of a depthwise convolution: no cell is drawn, and none is visited.

H(Y) follows from the distribution of the pre-activation. H(Y | X) is the mean over cells of h(C), h(s) being the
entropy of the binned output in a cell whose centre is s, and C the centre of a cell drawn at random. Over a period T
that holds all that C reaches, and beyond both ends all that a cell does, h is a Fourier series, and its mean the sum
over frequencies t = 2 pi m / T of the coefficient times the characteristic function of C, a product over inputs. Where
cells are few, h is computed in each of them: for few inputs it is too rough a function for a series.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ei_fast.kernels.marginals import extent_of
from ei_fast.kernels.one_output import characteristic_of_centres, entropies_at
from ei_fast.measures.constants import (
    FEWEST_CENTRES,
    MAX_ENUMERATED_CELLS,
    MOST_CENTRES,
    ONE_OUTPUT_ERROR,
    ONE_OUTPUT_POINTS,
)
from ei_fast.measures.joint.conditional import conditional_ei
from ei_fast.measures.joint.estimate import JointEI
from ei_fast.measures.joint.gaussian import dense_intervention
from ei_fast.measures.joint.problem import JointProblem
from ei_fast.measures.options import MeasureOptions
from ei_fast.measures.stages import Method
from ei_fast.network.binned import probabilities_of

Array = NDArray[np.float64]


class OneOutput:
    """Exact to `ONE_OUTPUT_ERROR`; by sampling, where cells are many and their entropy is too rough a function."""

    name = "one output"
    by_component = True

    def refusal(self, problem: JointProblem) -> str | None:
        """Open to components with one output whose samples are all kept."""
        component = problem.component
        if component is None or len(component.outputs) > 1:
            return "it is no component with a single output"
        if problem.binned.histograms is not None:
            return "its inputs are not uniform"
        return "samples are dropped" if problem.binned.joint_steps.drops else None

    def reason(self, problem: JointProblem, options: MeasureOptions) -> str:
        """Why nothing need be sampled."""
        if options.n_samples is not None:
            return f"counted from {options.n_samples:,} points, as was asked for"
        return "the entropy of its single output inside a cell is a function of the cell's centre"

    def cost(self, problem: JointProblem, options: MeasureOptions) -> float:
        """What takes about as long as so many points."""
        return ONE_OUTPUT_POINTS if options.n_samples is None else options.n_samples

    def estimate(self, problem: JointProblem, options: MeasureOptions) -> Method[JointEI]:
        """EI of the inputs onto the output."""
        found = one_output_ei(problem) if options.n_samples is None else None
        return found if found is not None else (yield from conditional_ei(dense_intervention(problem), options))


def one_output_ei(problem: JointProblem) -> JointEI | None:
    """EI onto a single output; None where its error would be more than `ONE_OUTPUT_ERROR`."""
    component, binned = problem.component, problem.binned
    assert component is not None
    steps = binned.joint_steps.of_outputs(component.outputs)
    low, high = binned.span
    weight = component.weight[:, 0]
    width = np.full(len(weight), high - low)
    held = np.arange(len(weight)) if problem.inputs is None else problem.inputs
    width[held] /= binned.in_bins
    centre = float(component.bias[0] + 0.5 * (low + high) * weight.sum())
    # In falling order, as kernels read them; in units in which the widest is 1, so that nothing overflows.
    moves = np.abs(weight * width)
    unit = float(moves.max())
    inside = np.sort(0.5 * moves / unit)[::-1].copy()
    half_steps = np.sort(0.5 * moves[held] / unit)[::-1].copy()
    given = _mean_entropy(
        inside, half_steps, binned.in_bins, (steps.breaks_of(0) - centre) / unit, steps.codes_of(0), steps.n_bins
    )
    if given is None:
        return None
    p = probabilities_of(component.weight, component.bias, binned.span, steps)[0]
    output = float(-(p[p > 0] * np.log2(p[p > 0])).sum())
    return JointEI.exact(max(output - given, 0.0), output)


def _mean_entropy(
    inside: Array, half_steps: Array, bins: int, breaks: Array, codes: NDArray[np.uint16], n_bins: int
) -> float | None:
    """H(Y | X) in bits, from half widths of the moves inside a cell and half steps from one to the next."""
    of_cell, of_centres = extent_of(inside), _extent_of_centres(half_steps, bins)
    met = np.flatnonzero(np.abs(breaks) < of_cell + of_centres)
    if not met.size:
        return 0.0
    codes = codes[met[0] : met[-1] + 2]
    if bins ** len(half_steps) <= MAX_ENUMERATED_CELLS:
        centres = _every_centre(half_steps, bins)
        entropies = np.empty(len(centres))
        entropies_at(inside, centres, breaks[met], codes, n_bins + 1, entropies)
        return float(entropies.mean())
    half_period = of_centres + 2 * of_cell
    n, entropies = FEWEST_CENTRES, np.empty(0)
    while n <= MOST_CENTRES:
        entropies = _twice_as_many(entropies, n, half_period, inside, breaks[met], codes, n_bins + 1)
        coefficients = np.fft.rfft(entropies) / n
        sizes = 2 * np.abs(coefficients)
        # Those of the highest octave say how many bits are in what is beyond.
        if float(sizes[n // 4 :].sum()) <= ONE_OUTPUT_ERROR / 2:
            # No more are needed than leave as little behind.
            left = np.cumsum(sizes[::-1])[::-1]
            phi = np.empty(int(np.count_nonzero(left > ONE_OUTPUT_ERROR / 2)) or 1)
            characteristic_of_centres(half_steps, bins, np.pi / half_period, phi)
            # The first centre is half a period before 0.
            phi[1::2] *= -1
            phi[1:] *= 2
            return float((coefficients.real[: len(phi)] * phi).sum())
        n *= 2
    return None


def _every_centre(half_steps: Array, bins: int) -> Array:
    """Centres of all cells."""
    centres = np.zeros(1)
    for half_step in half_steps:
        centres = np.add.outer(centres, half_step * (2 * np.arange(bins) - (bins - 1))).ravel()
    return centres


def _twice_as_many(entropies: Array, n: int, half_period: float, *given: Any) -> Array:
    """Entropies (n,) at n centres over a period, of which every other one is known where any are."""
    centres = half_period * (2 * np.arange(n) / n - 1)
    result, missing = np.empty(n), slice(1, None, 2) if len(entropies) else slice(None)
    if len(entropies):
        result[::2] = entropies
    inside, *rest = given
    found = np.empty(len(centres[missing]))
    entropies_at(inside, centres[missing].copy(), *rest, found)
    result[missing] = found
    return result


def _extent_of_centres(half_steps: Array, bins: int) -> float:
    """How far a cell's centre practically gets from that of the range: less than the sum of as wide uniforms does."""
    return float(extent_of(half_steps * bins))
