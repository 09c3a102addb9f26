"""E of 1/2 ln det(J' C^-1 J) under do(L1 = H^max): by a formula where there is one, else by sampling."""

from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from math import ceil
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ei_fast.intervention.streams import Stream, neuron_keys
from ei_fast.kernels.uniforms import fill_uniforms
from ei_fast.measures.noise.control import Control, mean_and_error
from ei_fast.measures.noise.gaussian_noise import GaussianNoise
from ei_fast.measures.noise.maps import DenseBlock, MapChain
from ei_fast.measures.noise.mean_slopes import mean_log_slopes
from ei_fast.measures.noise.unit_cube import Array, UnitCubeLayer
from ei_fast.network.bins import Ranges
from ei_fast.network.layer import Layer
from ei_fast.network.slopes import STEP
from ei_fast.runtime.threads import Threads

STEPS = (STEP, 2.0**-12, 2.0**-8)
"""Half distances of central differences that are tried, the first first: what computes in single precision needs more.
"""

COARSER = 4.0
"""How many times as far apart the points are with which a difference is compared."""

PILOT = 4096
"""Samples from whose spread the number of all is found."""

MOST_SAMPLES = 2**21
LEAST_SAMPLES = 64

_COMPARED = 256
"""Samples on which differences of two steps are compared."""

_WORK = 1e11
"""Multiply-adds, roughly, that a map may take at effort 1: some seconds on two cores."""

_NUMBERS = 2**21
"""Numbers in memory at a time for each thread, roughly."""


@dataclass(frozen=True)
class LogVolume:
    """E of 1/2 ln det(J' C^-1 J), in nats, J being the Jacobian in coordinates in which inputs are uniform on (0, 1).

    Attributes
    ----------
    value : float
        -inf where a share of the inputs, however small, has a singular Jacobian.
    stderr : float
        Standard error; 0 where exact, NaN where the value is -inf.
    regular_value, regular_stderr : float
        The same of the inputs whose Jacobian is not singular, NaN where there are none.
    share_singular : float
        Share of inputs whose Jacobian is singular, among the samples.
    n_samples : int
        0 where none were drawn.
    reached : bool
        Whether the error is as small as was asked for.
    """

    value: float
    stderr: float
    regular_value: float
    regular_stderr: float
    share_singular: float
    n_samples: int
    reached: bool = True

    def off_by(self, change: float) -> "LogVolume":
        """The same with an error of another kind in its standard errors."""
        errors = (float(np.hypot(error, change)) for error in (self.stderr, self.regular_stderr))
        return replace(self, **dict(zip(("stderr", "regular_stderr"), errors, strict=True)))  # type: ignore[arg-type]

    def singular_if(self, is_known: bool) -> "LogVolume":
        """The same; -inf where it is known to be, though no sample may have met a singular Jacobian."""
        return replace(self, value=-np.inf, stderr=np.nan) if is_known else self


@dataclass(frozen=True)
class Sampling:
    """How much is sampled, and by whom.

    Attributes
    ----------
    n_samples : int or None
        None for as many as `tol` needs.
    tol : float
        Standard error that is aimed for, in nats.
    effort : float
        Multiplies the ceiling of work.
    seed : int
    threads : Threads
    """

    n_samples: int | None
    tol: float
    effort: float
    seed: int
    threads: Threads


def exact_log_volume(layer: Layer, in_range: Ranges, noise: GaussianNoise, threads: Threads) -> LogVolume:
    """That of a dense layer with as many outputs as inputs: ln|det W| + sum of E ln|f'(S_j)| - 1/2 ln det C.

    -inf where a share of its Jacobians is singular. Of a user's activation the standard error is the change that points
    further apart bring.
    """
    found = []
    for step in (STEP, COARSER * STEP)[: 1 if layer.activation.is_named else 2]:
        unit = UnitCubeLayer.of(layer, in_range, step)
        slopes = mean_log_slopes(unit, threads)
        found.append(DenseBlock(unit, layer.activation).log_determinant + float(slopes.values.sum()))
    value = found[0] - float(noise.log_deviations.sum())
    if not np.isfinite(found).all():
        return LogVolume(-np.inf, np.nan, np.nan, np.nan, np.nan, 0)
    error = abs(found[-1] - found[0])
    return LogVolume(value, error, value, error, 0.0, 0)


def sampled_log_volume(chain: MapChain, noise: GaussianNoise, sampling: Sampling) -> LogVolume:
    """That of any map, from counter-based samples: the same for any number of threads."""
    control = Control.of(chain, noise, sampling.threads)
    most = sampling.n_samples or _ceiling(chain, sampling.effort)
    sample = _sample(chain, noise, sampling, range(min(most, sampling.n_samples or PILOT)), control)
    if sampling.n_samples is None:
        pilot = sample.estimated(np.inf)
        # Some more than are needed, since the spread is known from the pilot alone.
        wanted = 0.0 if np.isnan(pilot.regular_stderr) else 1.1 * (pilot.regular_stderr / sampling.tol) ** 2 * sample.n
        further = range(sample.n, max(sample.n, min(ceil(wanted), most)))
        sample = sample.with_further(_sample(chain, noise, sampling, further, control))
    return sample.estimated(sampling.tol if sampling.n_samples is None else np.inf)


def _ceiling(chain: MapChain, effort: float) -> int:
    return int(min(max(effort * _WORK / chain.work, LEAST_SAMPLES), MOST_SAMPLES))


@dataclass(frozen=True)
class _Sample:
    """Log volumes (n,) at inputs drawn from the cube, and a control (n,) there; 0 where there is none."""

    logs: Array
    controls: Array

    @property
    def n(self) -> int:
        return len(self.logs)

    def with_further(self, other: "_Sample") -> "_Sample":
        return _Sample(np.concatenate([self.logs, other.logs]), np.concatenate([self.controls, other.controls]))

    def estimated(self, tol: float) -> LogVolume:
        """The mean over the regular ones, and how many there are."""
        is_regular = np.isfinite(self.logs)
        share = float(1.0 - is_regular.mean())
        mean = error = np.nan
        if is_regular.any():
            # Where some are singular the control's mean over the others is not known.
            mean, error = mean_and_error(self.logs[is_regular], self.controls if share == 0 else None)
        value, stderr = (-np.inf, np.nan) if share > 0 else (mean, error)
        return LogVolume(value, stderr, mean, error, share, self.n, not error > tol)


def _sample(
    chain: MapChain, noise: GaussianNoise, sampling: Sampling, numbers: range, control: Control | None = None
) -> _Sample:
    """Samples of these numbers, in blocks whose size depends on the map alone."""
    size = int(min(max(_NUMBERS // chain.numbers, 1), 4096))
    bounds = [*numbers[::size], numbers.stop] if numbers else []
    keys = neuron_keys(sampling.seed, (0, 0), Stream.JACOBIAN, chain.n_in)
    threads = sampling.threads if chain.is_thread_safe else sampling.threads.alone()
    found = threads.map(partial(_block, chain, noise, keys, control), list(pairwise(bounds)))
    logs, controls = zip(*found, strict=True) if found else ((), ())
    return _Sample(np.concatenate([np.empty(0), *logs]), np.concatenate([np.empty(0), *controls]))


def _block(
    chain: MapChain, noise: GaussianNoise, keys: NDArray[np.uint64], control: Control | None, bounds: tuple[int, int]
) -> tuple[Array, Array]:
    begin, end = bounds
    uniforms = np.empty((chain.n_in, end - begin), np.float32)
    fill_uniforms(keys, begin, end - begin, uniforms)
    u = np.ascontiguousarray(uniforms.T, np.float64) + 0.5
    return chain.log_volumes(u, noise), np.zeros(len(u)) if control is None else control(u)


class Differenced(Protocol):
    """A map some of whose slopes are found by differences."""

    def chain_with(self, step: float) -> MapChain:
        """The chain with central differences of this step."""
        ...


def step_of_differences(found: Differenced, noise: GaussianNoise, sampling: Sampling) -> tuple[float, float]:
    """The first of `STEPS` whose mean log volume hardly changes with points further apart, and by how much, in nats.

    Where there is none, the step with the smallest change; infinite where with it another share of points is singular.
    """
    changes: list[float] = []
    for step in STEPS:
        changes.append(_change(found, step, noise, sampling))
        if changes[-1] <= sampling.tol:
            break
    best = int(np.argmin(changes))
    return STEPS[best], changes[best]


def _change(found: Differenced, step: float, noise: GaussianNoise, sampling: Sampling) -> float:
    near, far = (_sample(found.chain_with(of), noise, sampling, range(_COMPARED)).logs for of in (step, COARSER * step))
    is_regular = np.isfinite(near)
    if (is_regular != np.isfinite(far)).any():
        return np.inf
    return float(abs(near[is_regular].mean() - far[is_regular].mean())) if is_regular.any() else 0.0
