"""What the inputs of a layer told about its outputs as they were observed: no intervention."""

from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ei_fast.adapters import as_network
from ei_fast.estimator import flags_of
from ei_fast.estimator.measurement import Measurement
from ei_fast.functions.single_layer import only_layer
from ei_fast.intervention.observed_inputs import ObservedInputs
from ei_fast.intervention.of_layer import intervention_on
from ei_fast.intervention.streams import resolve_seed
from ei_fast.measures.entropies.estimate import EntropyEstimate
from ei_fast.measures.joint.estimate import JointEI
from ei_fast.measures.joint.observed import entropy_of_codes, observed_ei
from ei_fast.measures.stages import run_here
from ei_fast.network.binned import BinnedLayer
from ei_fast.network.bins import edges_of_each, index_of_each
from ei_fast.network.observed import as_samples, codes_of_samples
from ei_fast.parameters import OWNER, MeasuringOptions, Settings, measuring_and_reading, shows_keywords
from ei_fast.results.flags import Flag
from ei_fast.runtime.threads import Threads
from ei_fast.validation import as_numpy_ships

_OWNER = "observed_information"
_METHODS = ("auto", "conditional")
FEWEST_ROWS = 16
"""Samples without which nothing can be said of an entropy."""


@dataclass(frozen=True)
class ObservedInformation:
    """Mutual information of a layer's inputs and outputs as they were observed; ``float()`` gives its value.

    Parameters
    ----------
    value : float
        I(X; Y) in bits, X being the bins of all inputs together and Y those of all outputs.
    stderr : float
        Its standard error in bits.
    interval : (float, float)
        95 % interval in bits, which allows for the bias that may be left; lower and upper bound where undersampled.
    flags : tuple of str
        What to know before trusting the value: that it is an observation, and what a `GroupEI` may say.
    output_entropy, conditional_entropy : float
        H(Y) and H(Y | X), whose difference the value is: inside its bins an input may be anywhere.
    unbinned : float
        I(x; Y) in bits, x being the inputs themselves: H(Y) of the outputs at the samples, since these leave nothing of
        a deterministic map's outputs open.
    unbinned_interval : (float, float)
        Its 95 % interval; lower and upper bound where hardly any state of the outputs repeats.
    n_rows : int
        Number of samples.

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> samples = np.random.default_rng(0).random((4096, 1))
    >>> told = ef.observed_information([[1.0]], samples, activation="linear", bins=4, random_state=0)
    >>> told.flags, told.n_rows, f"{float(told):.1f}"
    (('observed, not do()',), 4096, '2.0')
    """

    value: float
    stderr: float
    interval: tuple[float, float]
    flags: tuple[str, ...]
    output_entropy: float
    conditional_entropy: float
    unbinned: float
    unbinned_interval: tuple[float, float]
    n_rows: int

    def __float__(self) -> float:
        return self.value


@shows_keywords(Measurement, as_network)
@as_numpy_ships
def observed_information(layer: Any, samples: ArrayLike, **params: Unpack[MeasuringOptions]) -> ObservedInformation:
    """Measure what the inputs of a layer told about its outputs as they were observed, without intervention.

    Parameters
    ----------
    layer : Layer, Function, 2-D array (n_in, n_out), or a network of one layer
        What is measured.
    samples : array-like (n_samples, n_in)
        Activations that were observed at the layer's inputs, a row for each sample; at least 16, independent of each
        other. Their order does not matter.
    bins, activation, in_range, out_range, out_of_range, baseline : optional
        What is measured: see `EffectiveInformation`. `in_range` must hold all samples, and `out_of_range` be "clip".
    joint, pairwise, entropy, n_samples, tol, effort, random_state, n_jobs, verbose, pairwise_edges, matrices : optional
        How it is measured: see `EffectiveInformation`. `joint` must be "auto" or "conditional"; `n_samples` are points
        that are simulated inside the cells of the samples. How well the value is known is up to their number; `tol` is
        aimed for in what these points add to its error.
    order, prefix, layout, norm_place, norm_eps, chain, layers : optional
        How a dict or file of weights is read: see `as_network`.
    blocks, heads, verify, input_shape, example_inputs, unroll, names : optional
        How the model is read: see `as_network`.

    Returns
    -------
    ObservedInformation
        The value in bits, with its error, for the distribution that the samples come from.

    Raises
    ------
    TypeError, ValueError
        Before any work: the message names the parameter or layer, the rule, the value and the remedy.

    See Also
    --------
    effective_information : With `in_distribution`, inputs are set independently of each other, to have histograms.

    Notes
    -----
    The cells X are those of the samples; inside its cell a sample may be anywhere, with equal density, as in all
    measures of this package. So I(X; Y) = H(Y) - H(Y | X), and bins that are narrow enough for Y to follow from X bring
    it to I(x; Y) = H(Y), which `unbinned` is: that of a deterministic map. Nothing is set, so that this is no effective
    information. It may exceed or fall short of that of inputs with the same histograms.

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> same = np.repeat(np.random.default_rng(0).random((4096, 1)), 2, axis=1)
    >>> told = ef.observed_information(np.eye(2), same, activation="linear", random_state=0)
    >>> f"{told.value:.2f} bits, and {float(ef.effective_information(np.eye(2), activation='linear')):.2f} under do()"
    '3.00 bits, and 6.00 under do()'
    """
    parameters, reading = measuring_and_reading(params, _OWNER)
    estimator = Measurement(**parameters)
    settings = Settings.checked(estimator.parameters)
    _check_open(settings)
    binned = only_layer(layer, estimator, settings, reading)
    values = as_samples(samples, _OWNER, binned.layer.n_in)
    if len(values) < FEWEST_ROWS:
        raise ValueError(
            f"The 'samples' parameter of {_OWNER} must have at least {FEWEST_ROWS} rows. Got {len(values)} instead. "
            "Observe more samples."
        )
    codes = codes_of_samples(values, binned.in_range, binned.in_bins, _OWNER)
    seed = resolve_seed(estimator.random_state, OWNER)
    # Some of the rows, where not all are entered, are then as good as any.
    codes = codes[np.random.default_rng(seed).permutation(len(codes))]
    do = ObservedInputs(intervention_on(binned, seed), codes, seed=seed, place=(binned.index, 0))
    with Threads(settings.n_jobs) as threads:
        joint = run_here(observed_ei(do, len(codes), settings.options), threads)
    # How well it is known is up to the samples: no effort would help.
    flags = (Flag.OBSERVED, *(flag for flag in flags_of(joint, settings.options) if flag != Flag.TOL_NOT_REACHED))
    return _result(joint, entropy_of_codes(_outputs_at(binned, values), binned.out_bins), flags, len(codes))


def _check_open(settings: Settings) -> None:
    """Refuse what this is not open to."""
    if settings.drop:
        raise ValueError(
            f"The 'out_of_range' parameter of {_OWNER} must be 'clip'. Got 'drop' instead: what is kept of the samples "
            "is no sample of what they come from. Use out_of_range='clip'."
        )
    if settings.joint not in _METHODS:
        raise ValueError(
            f"The 'joint' parameter of {_OWNER} must be 'auto' or 'conditional'. Got {settings.joint!r} instead, which "
            "takes inputs to be independent, or counts states that do not repeat. Use joint='auto'."
        )


def _outputs_at(binned: BinnedLayer, samples: NDArray[np.float64]) -> NDArray[np.uint16]:
    """Bins (n_out, rows) of the outputs at the samples themselves."""
    bins = index_of_each(binned.layer(samples), edges_of_each(binned.out_range, binned.out_bins))
    return np.ascontiguousarray(bins.T)


def _result(joint: JointEI, unbinned: EntropyEstimate, flags: tuple[str, ...], n_rows: int) -> ObservedInformation:
    return ObservedInformation(
        value=max(float(joint.value), 0.0),
        stderr=float(joint.stderr),
        interval=(max(float(joint.low), 0.0), max(float(joint.high), 0.0)),
        flags=flags,
        output_entropy=joint.output_entropy,
        conditional_entropy=joint.conditional_entropy,
        unbinned=float(unbinned.value),
        unbinned_interval=(max(float(unbinned.low), 0.0), float(unbinned.high)),
        n_rows=n_rows,
    )
