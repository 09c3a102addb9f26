"""Joint EI by counting joint states: the published method, for comparison.

It returns H(X) + H(Y) - H(X, Y) of N samples. Where hardly any input state repeats that is H(Y), whatever N
is: see the README's Rationale.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ei_fast.intervention.do import Intervention
from ei_fast.intervention.streams import Stream
from ei_fast.kernels.keys import DROPPED, NEVER, pack_codes
from ei_fast.measures.entropy import Counts, Estimator, entropy_of_counts
from ei_fast.measures.estimate import JointEI
from ei_fast.runtime.threads import Arrays, Workers, share_of, stacked

DEFAULT_POINTS = 2**20
MAX_BYTES = 2**32
"""Memory that the counts may take at the most."""

_BYTES_A_POINT, _BYTES_A_STATE = 3 * 8 + 6 * 16, 24
_TASK_POINTS = 2**14


def check_memory(n_samples: int, joint: str) -> None:
    """Raise MemoryError where keeping the states of so many samples takes more than MAX_BYTES."""
    each = _BYTES_A_POINT if joint == "plugin" else _BYTES_A_STATE
    if n_samples * each > MAX_BYTES:
        raise MemoryError(
            f"joint={joint!r} with n_samples={n_samples:,} needs about {n_samples * each // 2**30:,} GiB, more than "
            f"the {MAX_BYTES // 2**30} GiB it may take. Ask for at most {MAX_BYTES // each:,} samples, or give 'tol'."
        )


def counted_ei(intervention: Intervention, n: int, estimator: Estimator, workers: Workers) -> tuple[JointEI, float]:
    """The counted figure with its own standard error, and the coverage of the joint states."""
    bits = max(1, (intervention.in_bins - 1).bit_length())

    def visit(first: int, end: int) -> Arrays:
        m = min(_TASK_POINTS, end - first)
        x_codes, y_codes = intervention.codes_anywhere(Stream.PLUGIN, first, m)
        keys = np.empty((3, m), np.uint64)
        pack_codes(x_codes, bits, NEVER, keys[0])
        pack_codes(y_codes, intervention.bits, intervention.outside, keys[1])
        # The pair's key is a hash of both: two odd multipliers, mixed.
        keys[2] = _mixed(keys[0] * np.uint64(0x9E3779B97F4A7C15) ^ _mixed(keys[1]))
        dropped = keys[1] == DROPPED
        keys[0][dropped] = keys[2][dropped] = DROPPED
        return keys[0], keys[1], keys[2]

    def share(k: int, n_shares: int) -> Arrays:
        begin, end = share_of(n, k, n_shares)
        none = np.empty(0, np.uint64)
        parts = [(none, none, none), *workers.map(lambda first: visit(first, end), range(begin, end, _TASK_POINTS))]
        counted = workers.map(Counts.of, stacked(parts))
        return tuple(array for one in counted for array in (one.states, one.counts))

    def together(shares: Sequence[Arrays]) -> Arrays:
        counted = [Counts.sum([Counts(*one[2 * k : 2 * k + 2]) for one in shares]) for k in range(3)]
        return tuple(array for one in counted for array in (one.states, one.counts))

    x_states, x, y_states, y, pair_states, pair = workers.shared(share, together)
    counted = [Counts(pair_states, pair), Counts(x_states, x), Counts(y_states, y)]
    h_pair, h_x, h_y = workers.map(lambda one: entropy_of_counts(one, n, estimator), counted)
    if h_y.n_kept == 0:
        return JointEI.undefined(n), 1.0
    estimate = JointEI.sampled(
        h_y.value,
        h_pair.value - h_x.value,
        float(np.sqrt(h_y.stderr**2 + h_pair.stderr**2)),
        h_pair.bias + h_x.bias + h_y.bias,
        n,
        estimator.name,
        h_y.shift + h_x.shift - h_pair.shift,
    )
    return estimate, h_pair.coverage


def _mixed(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finaliser, vectorised."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
