"""Joint EI by counting joint states: the published method, for comparison.

It returns H(X) + H(Y) - H(X, Y) of N samples. Where hardly any input state repeats that is H(Y), whatever N
is: see the README's Rationale.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ei_fast.intervention.do import Intervention
from ei_fast.intervention.streams import Stream
from ei_fast.kernels.keys import DROPPED, NEVER, pack_codes
from ei_fast.measures.constants import (
    BYTES_A_JOINT_POINT,
    BYTES_A_STATE,
    FEWEST_SHARED_KEYS,
    JOINT_POINTS,
    JOINT_TASK_POINTS,
    MAX_BYTES,
    MIN_COVERAGE,
)
from ei_fast.measures.counting.counts import Counts
from ei_fast.measures.counting.estimators import PLUGIN, EntropyEstimator
from ei_fast.measures.counting.in_threads import counted, tallied
from ei_fast.measures.counting.sampled import SampledEntropy, entropy_of_counts
from ei_fast.measures.entropies.estimate import EntropyEstimate
from ei_fast.measures.joint.estimate import JointEI, compose
from ei_fast.measures.joint.problem import JointProblem
from ei_fast.measures.options import MeasureOptions
from ei_fast.measures.stages import Arrays, InThreads, Method, SimulationStage
from ei_fast.runtime.threads import Threads


class PlugIn:
    """H(X) + H(Y) - H(X, Y) as counted."""

    name = "plugin"
    by_component = False

    def refusal(self, problem: JointProblem) -> str | None:
        """Open to every layer, and to every group of its neurons."""
        return None

    def reason(self, problem: JointProblem, options: MeasureOptions) -> str:
        """As it was asked for."""
        return f"the joint states of {options.n_samples or JOINT_POINTS:,} samples are counted, as was asked for"

    def cost(self, problem: JointProblem, options: MeasureOptions) -> float:
        """Points that are counted, each of which has two states to sort where another method's has one."""
        return 2 * (options.n_samples or JOINT_POINTS)

    def estimate(self, problem: JointProblem, options: MeasureOptions) -> Method[JointEI]:
        """The counted figure with its own error; undersampled where more than a tenth are in states seen once."""
        n_samples = options.n_samples or JOINT_POINTS
        estimator = PLUGIN if options.estimator.adds_unseen else options.estimator
        arrays = yield JointStates(problem.intervention, n_samples)
        counted = yield InThreads(
            lambda threads: [tallied(Counts(arrays[2 * k], arrays[2 * k + 1]), threads) for k in range(3)]
        )
        of_inputs, of_outputs, of_pairs = (entropy_of_counts(counts, n_samples, estimator) for counts in counted)
        if of_outputs.n_kept == 0:
            return JointEI.undefined(n_samples, self.name)
        estimate = _composed(of_inputs, of_outputs, of_pairs, estimator, self.name)
        return replace(estimate, undersampled=of_pairs.coverage < MIN_COVERAGE)

    def explain(self, figures: Mapping[str, Any]) -> str:
        """In a sentence."""
        return (
            f"EI = H(X) + H(Y) - H(X, Y) as counted from {figures['n_samples']:,} samples: where hardly any state of "
            "the inputs repeats that is H(Y), whatever the layer tells."
        )


def _composed(
    of_inputs: SampledEntropy,
    of_outputs: SampledEntropy,
    of_pairs: SampledEntropy,
    estimator: EntropyEstimator,
    method: str,
) -> JointEI:
    """H(Y) - (H(X, Y) - H(X)), of entropies that were counted from the same samples."""
    output = EntropyEstimate.estimated(
        of_outputs.value,
        of_outputs.stderr,
        of_outputs.bias,
        method=estimator.name,
        n_samples=of_outputs.n_samples,
        shift=of_outputs.shift,
    )
    conditional = EntropyEstimate.estimated(
        of_pairs.value - of_inputs.value,
        of_pairs.stderr,
        of_pairs.bias + of_inputs.bias,
        method=estimator.name,
        n_samples=of_pairs.n_samples,
        shift=of_pairs.shift - of_inputs.shift,
    )
    # Independent errors are assumed, which is on the safe side: H(Y) and H(X, Y) rise and fall together.
    stderr = float(np.sqrt(of_outputs.stderr**2 + of_pairs.stderr**2))
    return compose(output, conditional, method=method, n_samples=of_pairs.n_samples, stderr=stderr)


@dataclass(frozen=True)
class JointStates(SimulationStage):
    """States and counts of the inputs, of the outputs, and of both together: six arrays."""

    intervention: Intervention
    n_points: int

    @property
    def name(self) -> str:
        return "joint-states"

    @property
    def n_items(self) -> int:
        return self.n_points

    def compute(self, begin: int, end: int, threads: Threads) -> Arrays:
        keys = [np.empty(end - begin, np.uint64) for _ in range(3)]

        def visit(first: int) -> None:
            self._fill(first, [of_all[first - begin : first - begin + JOINT_TASK_POINTS] for of_all in keys])

        threads.map(visit, range(begin, end, JOINT_TASK_POINTS))
        if end - begin < FEWEST_SHARED_KEYS:
            return _flat(threads.map(Counts.of, keys))
        return _flat([counted(keys.pop(0), threads) for _ in range(3)])

    def _fill(self, first: int, keys: Sequence[NDArray[np.uint64]]) -> None:
        """Keys of inputs, outputs and pairs of samples number `first`, ...; dropped ones are dropped in all three."""
        do = self.intervention
        x_codes, y_codes = do.codes_anywhere(Stream.PLUGIN, first, len(keys[0]))
        # All inputs move; those of the group are told apart.
        pack_codes(
            x_codes if do.whole_cells else x_codes[do.inputs], max(1, (do.in_bins - 1).bit_length()), NEVER, keys[0]
        )
        pack_codes(y_codes, do.code_width, do.outside, keys[1])
        # The pair's key is a hash of both: two odd multipliers, mixed.
        keys[2][:] = _mixed(keys[0] * np.uint64(0x9E3779B97F4A7C15) ^ _mixed(keys[1]))
        dropped = keys[1] == DROPPED
        keys[0][dropped] = keys[2][dropped] = DROPPED

    def join(self, parts: Sequence[Arrays]) -> Arrays:
        return _flat([Counts.sum([Counts(arrays[2 * k], arrays[2 * k + 1]) for arrays in parts]) for k in range(3)])


def check_memory(n_samples: int, joint: str) -> None:
    """Raise MemoryError where keeping the states of so many samples takes more than MAX_BYTES."""
    bytes_a_sample = BYTES_A_JOINT_POINT if joint == "plugin" else BYTES_A_STATE
    if n_samples * bytes_a_sample > MAX_BYTES:
        raise MemoryError(
            f"joint={joint!r} with n_samples={n_samples:,} needs about {n_samples * bytes_a_sample // 2**30:,} GiB, "
            f"more than the {MAX_BYTES // 2**30} GiB it may take. Ask for at most "
            f"{MAX_BYTES // bytes_a_sample:,} samples, or give 'tol'."
        )


def _flat(counted: Sequence[Counts]) -> Arrays:
    return tuple(array for counts in counted for array in (counts.states, counts.counts))


def _mixed(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finaliser, vectorised."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
