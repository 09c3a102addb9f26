"""One seed, many streams: who draws which uniforms."""

from enum import IntEnum
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Stream(IntEnum):
    """What a stream of uniforms is drawn for; streams never overlap."""

    CELLS = 0
    POINTS = 1
    MARGINAL = 2
    PILOT_CELLS = 3
    PILOT_POINTS = 4
    PILOT_MARGINAL = 5
    BOUND_CELLS = 6
    BOUND_POINTS = 7
    BOUND_MARGINAL = 8
    HISTOGRAM = 9
    SENSITIVITY = 10
    PLUGIN = 11
    OCCUPANCY = 12


@lru_cache(maxsize=256)
def neuron_keys(seed: int, place: tuple[int, ...], stream: Stream, n_in: int) -> NDArray[np.uint64]:
    """Stream key of every input neuron, (n_in,) uint64.

    `place` tells apart the parts that are measured under one seed: the layer's index and the first
    input neuron of the part.
    """
    sequence = np.random.SeedSequence(seed, spawn_key=(*place, int(stream)))
    return sequence.generate_state(n_in, np.uint64).astype(np.uint64, copy=False)


def resolve_seed(random_state: Any, owner: str) -> int:
    """The one integer behind all streams, from an int, a SeedSequence, a Generator or None (fresh entropy)."""
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
    return int.from_bytes(words.astype("<u4").tobytes(), "little")
