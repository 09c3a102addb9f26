"""The entropy of states that a sample has not met, from how fast it still meets new ones."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ei_fast.measures.constants import (
    LN2,
    MIN_DISCOVERY_DECAY,
    NOTICEABLE_UNSEEN_BITS,
    UNSEEN_MODEL_ERROR,
)


@dataclass(frozen=True)
class UnseenStates:
    """What Zhang's estimator of entropy misses, in bits.

    Attributes
    ----------
    bits : float
        To be added to the estimate.
    per_singleton, per_doubleton : float
        `bits` times n as a sum over states: what each state seen once adds, and each seen twice takes off.
    model_error : float
        How much of `bits` may be wrong, in bits, besides its noise.
    without_end : bool
        Whether new states are discovered at a rate that does not fall, in a share of the probability that matters.

    Notes
    -----
    The bias of Zhang's estimator is -∫ U(v)/v dv nats from v = n on, where U(v) is the probability that the sample
    after v others is of a state not met yet (Zhang 2012, Neural Computation 24:1368). Good and Turing read U(n) off the
    number f1 of states seen once: f1/n. Those seen twice and thrice (f2, f3) say how it decays. Input cells cut by
    hyperplanes leave states of all sizes, so that U falls as a power of v with exponent 2 f2/f1. Where that exponent
    grows, as it does once the smallest states are met, the integral is smaller by a Mills ratio. (Chao, Wang & Jost
    2013, Methods in Ecology and Evolution 4:1091, take the decay as exponential, which suits states of few sizes.)
    """

    bits: float
    per_singleton: float
    per_doubleton: float
    model_error: float
    without_end: bool

    @classmethod
    def after(
        cls, n: float, once: float, twice: float, thrice: float, model_error: float = UNSEEN_MODEL_ERROR
    ) -> "UnseenStates":
        """Estimate what is unseen after n samples from the numbers of states seen once, twice and thrice."""
        if once < 2 or n < 2:
            # At most about what one state of probability 1/n has.
            return cls(0.0, 0.0, 0.0, once / max(n, 1) / LN2, False)
        decay = 2 * (twice + 1) / (once - 1)
        growth = max(decay * (1 + decay) - 6 * thrice / once, 0.0) / decay**2
        # The third convergent of the continued fraction of Mills' ratio.
        mills = (1 + 2 * growth) / (1 + 3 * growth)
        per_singleton = mills / (decay * LN2)
        bits = once * per_singleton / n
        fastest_decay = 2 * (twice + 1 + 2 * np.sqrt(twice + 1)) / once
        return cls(
            bits=bits,
            per_singleton=2 * per_singleton if twice else per_singleton,
            per_doubleton=once * per_singleton / twice if twice else 0.0,
            model_error=bits * max(0.5 * (1 - mills) / mills, model_error),
            without_end=bool(bits > NOTICEABLE_UNSEEN_BITS and fastest_decay < MIN_DISCOVERY_DECAY),
        )

    def jackknife_influence(self, multiplicity: NDArray[np.integer]) -> NDArray[np.float64]:
        """By how much n times `bits` falls when one sample is left out whose state occurred `multiplicity` times."""
        of_singletons: NDArray[np.float64] = (multiplicity == 1) * 1.0 - (multiplicity == 2)
        of_doubletons: NDArray[np.float64] = (multiplicity == 2) * 1.0 - (multiplicity == 3)
        return self.per_singleton * of_singletons - self.per_doubleton * of_doubletons


NOTHING_UNSEEN = UnseenStates(0.0, 0.0, 0.0, 0.0, False)
