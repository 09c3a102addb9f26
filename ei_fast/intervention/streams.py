"""One seed, many streams of uniforms: what each of them is drawn for, and the key under which it is drawn.

A uniform depends on the seed, the place of what is measured, the stream, the input neuron and the sample's number, and
on nothing else: not on how samples are divided among blocks, threads or processes.
"""

from enum import IntEnum
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Stream(IntEnum):
    """What a stream of uniforms is drawn for. Figures of a seed depend on the numbers: they never change."""

    CELLS = 0
    """Input cells whose entropies are averaged to H(Y | X)."""
    POINTS = 1
    """Samples inside cells."""
    MARGINAL = 2
    """Samples over the whole input range, for H(Y)."""
    PILOT_CELLS = 3
    """Input cells of the pilot, which says how many samples the measurement takes."""
    PILOT_POINTS = 4
    """Samples inside the pilot's cells."""
    PILOT_MARGINAL = 5
    """Samples of the pilot over the whole input range."""
    BOUND_CELLS = 6
    """Input cells for bounds of EI where it cannot be estimated."""
    BOUND_POINTS = 7
    """Samples inside these cells."""
    BOUND_MARGINAL = 8
    """Samples over the whole input range for these bounds."""
    HISTOGRAM = 9
    """Samples of the joint histograms of edges, all inputs moving."""
    SENSITIVITY = 10
    """Samples of the joint histograms of edges, one input moving."""
    PLUGIN = 11
    """Samples of the published estimate of EI, which counts pairs of input and output states."""
    OCCUPANCY = 12
    """Samples that show which bins outputs use, and how many leave their range."""
    ANNEALED = 13
    """Samples over the whole input range whose states are scored by a Gaussian, and annealed."""
    ANNEALED_CELLS = 14
    """Input cells in each of which one such sample falls."""
    ANNEALED_POINTS = 15
    """The samples inside these cells."""
    ANNEALED_CHAINS = 16
    """Draws in the rectangles of their states, and chains."""
    EDGES = 17
    """Edges of which the sums of per-edge measures are estimated."""
    JACOBIAN = 24
    """Samples over the whole input range at which a map's Jacobian is taken."""
    POOL = 32
    """Samples over the whole input range that are grouped by each input, for a profile."""
    FREED_CELLS = 33
    """Input cells in which one input after the other is set free, for a profile."""
    FREED_POINTS = 34
    """Samples inside these cells."""


@lru_cache(maxsize=256)
def neuron_keys(seed: int, place: tuple[int, ...], stream: Stream, n_in: int) -> NDArray[np.uint64]:
    """Return the key of every input neuron's own stream.

    Parameters
    ----------
    seed : int
        As from `resolve_seed`.
    place : tuple of int
        What is measured under the seed: index of the layer, and first input neuron of the component of the layer.
    stream : Stream
    n_in : int

    Returns
    -------
    ndarray (n_in,), uint64
        The first keys are the same whatever `n_in` is.
    """
    sequence = np.random.SeedSequence(seed, spawn_key=(*place, int(stream)))
    return sequence.generate_state(n_in, np.uint64).astype(np.uint64, copy=False)


def resolve_seed(random_state: Any, owner: str) -> int:
    """Return the one integer behind all streams.

    Parameters
    ----------
    random_state : None, int, SeedSequence or Generator
        None stands for fresh entropy of the operating system. A Generator is advanced, so that its next use gives
        another seed.
    owner : str
        Function or class whose parameter `random_state` is, for messages.

    Raises
    ------
    TypeError, ValueError
        For another type, and for a negative integer.
    """
    if random_state is None:
        return int(np.random.SeedSequence().entropy)  # type: ignore[arg-type]
    if isinstance(random_state, np.random.SeedSequence):
        return _as_int(random_state.generate_state(4, np.uint32))
    if isinstance(random_state, np.random.Generator):
        return _as_int(random_state.integers(0, 2**32, 4, dtype=np.uint32))
    rule = f"The 'random_state' parameter of {owner} must be None, an integer >= 0, a SeedSequence or a Generator"
    if isinstance(random_state, (bool, np.bool_)) or not isinstance(random_state, (int, np.integer)):
        raise TypeError(f"{rule}. Got {random_state!r} instead.")
    if random_state < 0:
        raise ValueError(f"{rule}. Got {random_state!r} instead.")
    return int(random_state)


def _as_int(words: NDArray[Any]) -> int:
    """Return the integer whose 32-bit words, the lowest first, are given."""
    return int.from_bytes(words.astype("<u4").tobytes(), "little")
