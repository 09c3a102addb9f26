"""EI in noise form: of a layer, of a network, or of any map that can be differentiated."""

import math
from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ei_fast.adapters import as_network
from ei_fast.estimator.measurement import Measurement
from ei_fast.functions.differentiable import OWNER, DifferentiableMap, differentiable
from ei_fast.intervention.streams import resolve_seed
from ei_fast.measures.noise.gaussian_noise import GaussianNoise
from ei_fast.measures.noise.log_volume import (
    LogVolume,
    Sampling,
    exact_log_volume,
    sampled_log_volume,
    step_of_differences,
)
from ei_fast.network.bins import ends_of
from ei_fast.network.checks import real_array
from ei_fast.network.layer import Layer
from ei_fast.parameters import CONSTRAINTS, AdapterOptions, JacobianOptions, check_adapter_options, shows_keywords
from ei_fast.results.jacobian_ei import NEGATIVE, NOT_REACHED, NUMERICAL, SINGULAR, JacobianEI
from ei_fast.runtime.threads import Threads
from ei_fast.validation import as_numpy_ships

_OWN = tuple(name for name in JacobianOptions.__annotations__ if name not in AdapterOptions.__annotations__)
_LN2 = float(np.log(2.0))


@shows_keywords(Measurement, as_network)
@as_numpy_ships
def jacobian_ei(model: Any, noise: ArrayLike, *, jacobian: Any = None, **params: Unpack[JacobianOptions]) -> JacobianEI:
    """Effective information in noise form: of continuous neurons with small Gaussian noise on the outputs, no bins.

    Parameters
    ----------
    model : Layer, Function, Network, array, list, dict, path, or a model of a framework
        Whatever `as_network` accepts. Several layers are measured as one map, from the first one's inputs to the last
        one's outputs; a layer by itself, over its own range, as ``network.between(1, 1)``.
    noise : float, array-like (n_out,) or array-like (n_out, n_out)
        Standard deviation of the noise on every output, or on each; or the covariance of the noise.
    jacobian : callable, optional
        Takes inputs (m, n_in) and returns the map's Jacobians (m, n_out, n_in), entry [j, i] being the derivative of
        output j by input i. Where not given, dense layers are differentiated by formula, modules of PyTorch that are
        more than dense layers by automatic differentiation, and other functions by central differences.
    activation, in_range : optional
        What is measured: see `EffectiveInformation`. `in_range` may also be a sequence of one (low, high) for each
        input.
    n_samples, tol, effort, random_state, n_jobs : optional
        How it is measured, where it is sampled: see `EffectiveInformation`. An integer `n_samples` is the number of
        inputs drawn.
    order, prefix, layout, norm_place, norm_eps, chain, layers : optional
        How a dict or file of weights is read: see `as_network`.
    blocks, heads, verify, input_shape, example_inputs, unroll, names : optional
        How the model is read: see `as_network`.

    Returns
    -------
    JacobianEI
        The value in bits with its error, and per input; what it is the sum of; how many Jacobians were singular.

    Raises
    ------
    TypeError, ValueError
        Before any work: the message names the parameter or layer, the rule, the value and the remedy. So for a map with
        less outputs than inputs, at the end or on the way.

    Notes
    -----
    For y = f(x) + noise of covariance C, the n inputs independent and uniform with ranges of widths L_i, and J the
    Jacobian of f, it is, in nats,

        sum of ln L_i - (n / 2) ln(2 pi e) + E 1/2 ln det(J' C^-1 J).

    With as many outputs as inputs the last term is E ln|det J| - 1/2 ln det C, and the formula that of Zhang & Liu,
    Entropy 25:26 (2023), with the correction Entropy 25:1387 (2023), who have cubes of side 2 L where this has widths.

    The formula assumes that the noise is small against all that f does within its reach, and that f hardly ever maps
    two inputs to the same outputs. With as many outputs as inputs and the second alone, it is a lower bound of the
    mutual information for noise of any size; where f does map several inputs to the same outputs it is too large, by up
    to the logarithm of how many.

    A dense layer with as many outputs as inputs has the closed form ln|det W| + sum of E ln|f'(S_j)|: averages over the
    exact distribution of each pre-activation, right to 1e-8. All else is a mean over inputs drawn from the cube.

    Where a share of the inputs has a singular Jacobian, as behind ReLUs that are off, the value is -inf, and flagged.

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> ef.jacobian_ei(ef.Layer(np.diag([1.0, 4.0]), activation="linear"), noise=0.01)
    JacobianEI(value=11.193521, stderr=0, per_dimension=5.596761, 2 -> 2, closed form)
    >>> ef.jacobian_ei(ef.Layer([[3.0, 1.0], [-1.0, 2.0]], activation="tanh"), noise=[0.01, 0.02], in_range=(-1.0, 1.0))
    JacobianEI(value=8.4235632, stderr=0, per_dimension=4.211782, 2 -> 2, closed form)
    """
    check_adapter_options(params, OWNER, ("model", "noise", "jacobian", *_OWN))
    defaults = Measurement().parameters
    own: dict[str, Any] = {name: params.get(name, defaults[name]) for name in _OWN}
    reading: Any = {name: value for name, value in params.items() if name not in _OWN}
    checked = {
        name: CONSTRAINTS[name].checked(name, own[name], OWNER) for name in ("n_samples", "tol", "effort", "n_jobs")
    }
    found = differentiable(model, jacobian, own["activation"], own["in_range"], reading)
    of_noise = _checked_noise(noise, found.n_out)
    seed = resolve_seed(own["random_state"], OWNER)
    with Threads(checked["n_jobs"]) as threads:
        sampling = Sampling(checked["n_samples"], checked["tol"] * _LN2, checked["effort"], seed, threads)
        volume = _measured(found, of_noise, sampling)
    return _in_bits(found, *volume)


def _measured(found: DifferentiableMap, noise: GaussianNoise, sampling: Sampling) -> tuple[LogVolume, str, str]:
    """The mean log volume, how it was found, and how slopes were."""
    derivative = "differences" if found.is_differenced else found.chain.derivative if found.chain else "formula"
    only = found.layers[0] if len(found.layers) == 1 else None
    is_singular = False
    if isinstance(only, Layer) and only.n_in == only.n_out:
        exact = exact_log_volume(only, found.in_range, noise, sampling.threads)
        is_singular = exact.value == -np.inf
        if np.isfinite(exact.value) and exact.stderr <= sampling.tol:
            return exact, "closed form", derivative
    step, change = step_of_differences(found, noise, sampling) if found.is_differenced else (0.0, 0.0)
    if change > sampling.tol:
        raise ValueError(
            f"{found.name!r} cannot be differentiated numerically to the {sampling.tol / _LN2:.3g} bits of 'tol': "
            f"points further apart change EI by {change / _LN2:.3g} bits. It computes in single precision, is steep or "
            "flat on too small a scale, or is singular. Give 'jacobian', which returns its derivatives."
        )
    sampled = sampled_log_volume(found.chain_with(step), noise, sampling)
    return sampled.off_by(change).singular_if(is_singular), "sampled", derivative


def _in_bits(found: DifferentiableMap, volume: LogVolume, method: str, derivative: str) -> JacobianEI:
    """The result, of the mean log volume in nats."""
    low, high = ends_of(found.in_range, found.n_in)
    gaussian = 0.5 * found.n_in * math.log(2 * math.pi * math.e)
    value, regular = (volume.value - gaussian) / _LN2, (volume.regular_value - gaussian) / _LN2
    input_entropy = float(np.log2(high - low).sum())
    flags = {
        SINGULAR: volume.value == -np.inf,
        NEGATIVE: -np.inf < value < 0 or regular < 0,
        NUMERICAL: derivative == "differences",
        NOT_REACHED: not volume.reached,
    }
    return JacobianEI(
        value=float(value),
        stderr=volume.stderr / _LN2,
        n_in=found.n_in,
        n_out=found.n_out,
        input_entropy=input_entropy,
        log_determinant=float(volume.value / _LN2 - input_entropy),
        share_singular=volume.share_singular,
        regular_value=float(regular),
        regular_stderr=volume.regular_stderr / _LN2,
        n_samples=volume.n_samples,
        method=method,
        derivative=derivative,
        flags=tuple(flag for flag, holds in flags.items() if holds),
        name=found.name,
    )


def _checked_noise(noise: Any, n_out: int) -> GaussianNoise:
    rule = (
        f"The 'noise' parameter of {OWNER} must be a standard deviation > 0, or {n_out} of them, one for each output, "
        f"or a covariance ({n_out}, {n_out})"
    )
    if isinstance(noise, (bool, str)) or noise is None:
        raise TypeError(f"{rule}. Got {noise!r} instead.")
    values: NDArray[np.float64] = real_array(noise, "noise", OWNER)
    if not np.isfinite(values).all():
        raise ValueError(f"{rule}, finite. Got {noise!r} instead.")
    if values.ndim < 2:
        if values.shape not in ((), (n_out,)) or not (values > 0).all():
            raise ValueError(f"{rule}. Got {noise!r} instead.")
        return GaussianNoise.independent(np.full(n_out, float(values)) if values.ndim == 0 else values)
    if values.shape != (n_out, n_out):
        raise ValueError(f"{rule}. Got an array of shape {values.shape} instead.")
    if not np.allclose(values, values.T, rtol=1e-9, atol=0):
        raise ValueError(f"{rule}, which is symmetric. Got one that is not.")
    correlated = GaussianNoise.correlated(values)
    if correlated is None:
        raise ValueError(f"{rule}, which is positive definite. Got one that is not.")
    return correlated
