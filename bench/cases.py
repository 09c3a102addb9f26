"""What is timed: library by layer by samples. Every case says what must be equal before its time may count."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import peers
from shapes import SEED_NETWORK, weight_of

import ei_fast as ef
from ei_fast.intervention.dense import DenseIntervention
from ei_fast.intervention.streams import Stream
from ei_fast.measures.counting.estimators import estimator_named
from ei_fast.measures.counting.in_threads import counted, tallied
from ei_fast.measures.counting.sampled import entropy_of_counts
from ei_fast.measures.entropies.cells import CellStatistics
from ei_fast.network.steps import StepTable
from ei_fast.runtime.threads import Threads


@dataclass(frozen=True)
class Case:
    """A sigmoid layer without bias, weights uniform in ±1/sqrt(n_in), both ranges (0, 1)."""

    n_in: int
    n_out: int
    bins: int = 8

    @property
    def weight(self) -> np.ndarray:
        return weight_of(self.n_in, self.n_out)

    def __str__(self) -> str:
        return f"{self.n_in}->{self.n_out}, {self.bins} bins"


@dataclass(frozen=True)
class Contest:
    """One piece of work, done by ei_fast and by a peer.

    Attributes
    ----------
    work : str
    case : Case
    ours, theirs : callable of a Case
    peer : str
    tolerance : float
        Bits by which both results may differ: noise and known bias of the peer's.
    scale : float
        How many times the peer's work would be needed; 1 unless it is measured on a part of it.
    target : str
    """

    work: str
    case: Case
    ours: Callable[[Case], Any]
    theirs: Callable[[Case], Any]
    peer: str
    tolerance: float
    target: str
    scale: float = 1.0

    def __str__(self) -> str:
        return f"{self.work}, {self.case}"


def joint(case: Case) -> float:
    """At the default tol of 0.01 bits, joint EI alone."""
    return ef.analyze(case.weight, bins=case.bins, pairwise="none", random_state=0)[0].ei


def plugin(case: Case) -> float:
    """A million samples counted, as published."""
    params = {"joint": "plugin", "pairwise": "none", "n_samples": 10**6, "random_state": 0}
    return ef.analyze(case.weight, bins=case.bins, **params)[0].ei


def parts(case: Case) -> float:
    return ef.ei_parts_matrix(case.weight, bins=case.bins).sum()


def parts_by_histogram(case: Case) -> float:
    params = {"pairwise": "histogram", "n_samples": 10**5, "joint": "conditional", "random_state": 0}
    return ef.ei_parts_matrix(case.weight, bins=case.bins, **params).sum()


def sensitivity(case: Case) -> float:
    return ef.sensitivity_matrix(case.weight, bins=case.bins).sum()


def seed_network() -> ef.Report:
    """Whole report of the network of the paper's MNIST run."""
    return ef.analyze([Case(*widths).weight for widths in SEED_NETWORK], random_state=0)


def conditional(case: Case, samples: int) -> float:
    """The sampling half of the conditional estimator: half of the points anywhere, half in cells of 256; in threads."""
    steps = ef.Activation("sigmoid").steps((0.0, 1.0), case.bins)
    table = StepTable.of([steps], case.n_out)
    do = DenseIntervention(
        case.weight, np.zeros(case.n_out), table, in_range=(0.0, 1.0), in_bins=case.bins, seed=0, place=(0, 0)
    )
    auto, task = estimator_named("auto"), 2**14
    keys = np.empty(-(-(samples // 2) // task) * task, np.uint64)
    with Threads(2) as threads:
        threads.map(
            lambda first: do.fill_anywhere(Stream.MARGINAL, first, keys[first : first + task]),
            range(0, samples // 2, task),
        )
        inside = threads.map(
            lambda first: (
                CellStatistics.of_keys(
                    do.keys_inside(Stream.POINTS, first, do.drawn_cells(Stream.CELLS, first // 256, task // 256), 256),
                    auto,
                ).entropy
            ),
            range(0, samples // 2, task),
        )
        counts = tallied(counted(keys, threads), threads)
    return entropy_of_counts(counts, len(keys), auto).value - float(np.concatenate(inside).mean())


def _counted(case: Case) -> float:
    return peers.deep_ei_joint(case, 10**6)


def _parts(case: Case) -> float:
    return peers.deep_ei_parts(case, 10**6)


def _few_parts(case: Case) -> float:
    return peers.deep_ei_parts(case, 10**5)


def _sensitivity(case: Case) -> float:
    return peers.deep_ei_sensitivity(case, 5000)


CONTESTS = [
    Contest("joint EI, 10⁶ samples counted", Case(25, 6), plugin, _counted, "deep-ei, 10⁶ samples", 0.02, "60"),
    # Well sampled: what counting has in excess is known, and small.
    Contest("joint EI to ±0.01", Case(4, 4), joint, _counted, "deep-ei, 10⁶ samples", 0.03, "2,000"),
    Contest("EI_parts, exact", Case(25, 6), parts, _parts, "deep-ei, 10⁶ samples", 0.02, "2,000"),
    # A tenth of the million: what it has in excess is 49 / (2 N ln 2) bits an edge, over 3,000 edges.
    Contest("EI_parts, exact", Case(100, 30), parts, _few_parts, "deep-ei, 10⁶ samples", 1.2, "2,000", 10.0),
    # The same with 63**2 in 49's place; ours is corrected for it.
    Contest("EI_parts, 10⁵ samples", Case(100, 30, 64), parts_by_histogram, _few_parts, "deep-ei", 45.0, "10"),
    Contest("sensitivity, exact", Case(100, 30), sensitivity, _sensitivity, "deep-ei, 5,000 samples", 0.5, "500"),
]
