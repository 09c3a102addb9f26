"""Entropy of the states that a sample has not met, from how fast it still meets new ones."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_LN2 = float(np.log(2.0))
_MIN_DECAY = 0.3
"""Decay of the discovery rate below which there is no end in sight ..."""
_NOTICEABLE = 0.01
"""... where that concerns more than so many bits."""
_MODEL_ERROR = 0.1
MODEL_ERROR_IN_CELLS = 0.3
"""Part of what is added for the unseen that may be wrong: of a whole output's states, and of those inside cells, which
are too few for U to fall as a power of v: an edge may cut off any small share of a cell."""


@dataclass(frozen=True)
class Unseen:
    """What Zhang's estimator misses, in bits.

    Its bias is known (Zhang 2012, Neural Computation 24:1368): - integral from n on of U(v)/v dv nats, U(v) being
    the probability that the next sample after v is a state not met yet. Good and Turing read U at n off the
    states seen once, f1/n; those seen twice and thrice tell how it decays. Cells and tails made by hyperplanes
    leave states of all sizes, so that U falls as a power of v: its exponent is 2 f2/f1, and where that grows,
    as it does once the smallest states are met, the integral is less, by a Mills ratio. (Chao, Wang & Jost 2013,
    Methods in Ecology and Evolution 4:1091, take the decay as exponential: for states of few sizes.)

    Attributes
    ----------
    bits : float
        To be added to the estimate.
    a_single, a_double : float
        The same as a sum over states: what each seen once adds and each seen twice takes off, times n.
    bias : float
        Size of what `bits` itself may be wrong by, its noise apart.
    endless : bool
        New states turn up as if they never ended, in a part of the probability that matters.
    """

    bits: float
    a_single: float
    a_double: float
    bias: float
    endless: bool

    @classmethod
    def after(cls, n: float, once: float, twice: float, thrice: float, model_error: float = _MODEL_ERROR) -> "Unseen":
        """What is unseen after n samples, given how many states were seen once, twice and thrice."""
        if once < 2 or n < 2:
            # Less than a state's worth: what there may be is about what one state of probability 1/n has.
            return cls(0.0, 0.0, 0.0, once / max(n, 1) / _LN2, False)
        decay = 2 * (twice + 1) / (once - 1)
        growth = max(decay * (1 + decay) - 6 * thrice / once, 0.0) / decay**2
        # The third convergent of Mills' ratio as a continued fraction.
        mills = (1 + 2 * growth) / (1 + 3 * growth)
        share = mills / (decay * _LN2)
        bits = once * share / n
        fastest = 2 * (twice + 1 + 2 * np.sqrt(twice + 1)) / once
        return cls(
            bits=bits,
            a_single=2 * share if twice else share,
            a_double=once * share / twice if twice else 0.0,
            bias=bits * max(0.5 * (1 - mills) / mills, model_error),
            endless=bool(bits > _NOTICEABLE and fastest < _MIN_DECAY),
        )

    def left_out(self, counts: NDArray[np.integer]) -> NDArray[np.float64]:
        """What a sample fewer of a state seen so often takes from n times `bits`: the jackknife's influence."""
        return self.a_single * ((counts == 1) * 1.0 - (counts == 2)) - self.a_double * (
            (counts == 2) * 1.0 - (counts == 3)
        )


NOTHING_UNSEEN = Unseen(0.0, 0.0, 0.0, 0.0, False)
