"""I(X; Y_j): what all inputs tell about every single output."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ei_fast.measures.joint.auto import components, joint_ei
from ei_fast.measures.joint.estimate import JointEI
from ei_fast.measures.joint.exact import exact_ei
from ei_fast.measures.joint.one_output import one_output_ei
from ei_fast.measures.joint.problem import JointProblem
from ei_fast.measures.options import MeasureOptions
from ei_fast.measures.profile.figure import Figure
from ei_fast.measures.stages import InThreads, Method
from ei_fast.network.binned import BinnedLayer
from ei_fast.runtime.threads import Threads


def of_outputs(binned: BinnedLayer, options: MeasureOptions, seed: int) -> Method[tuple[list[Figure], int]]:
    """I(X; Y_j) of every output, each with points of its own where it is not exact; and how many points that took."""
    n_out = binned.layer.n_out
    exact: list[JointEI | None] = [None] * n_out
    if binned.layer.kind == "dense":
        of_one = _exactly(binned, options.n_samples is None)
        exact = yield InThreads(lambda threads: _in_threads(of_one, n_out, threads))
    left = [j for j in range(n_out) if exact[j] is None]
    sampled = yield tuple(joint_ei(binned, options, _seed_of(seed, j), outputs=np.array([j])) for j in left)
    for j, ei in zip(left, sampled, strict=True):
        exact[j] = ei
    figures = [Figure.of_ei(ei) for ei in exact if ei is not None]
    return figures, sum(ei.n_samples for ei in sampled)


def _in_threads(function: Callable[[int], JointEI | None], n: int, threads: Threads) -> list[JointEI | None]:
    return threads.map(function, range(n))


def _exactly(binned: BinnedLayer, is_free: bool) -> Callable[[int], JointEI | None]:
    """EI onto an output of a dense layer: exact, or None where it takes samples, as it does where these are given."""

    def of_output(j: int) -> JointEI | None:
        outputs: NDArray[np.intp] = np.array([j])
        problems = components(JointProblem(binned, 0, outputs=outputs))
        if not problems:
            return JointEI.exact(0.0, 0.0)
        (problem,) = problems
        assert problem.component is not None
        if problem.has_one_input:
            return exact_ei(binned, problem.component)
        return one_output_ei(problem) if is_free else None

    return of_output


def _seed_of(seed: int, j: int) -> int:
    """A seed of its own for each output: one seed would give all outputs, and EI, the same points."""
    words = np.random.SeedSequence(seed, spawn_key=(2**31, j)).generate_state(4, np.uint32)
    return int.from_bytes(words.astype("<u4").tobytes(), "little")
