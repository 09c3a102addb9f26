"""The information profile of a layer."""

from typing import Any, Unpack

from ei_fast.adapters import as_network
from ei_fast.estimator import flags_of
from ei_fast.estimator.measurement import Measurement
from ei_fast.functions.single_layer import only_layer
from ei_fast.intervention.streams import resolve_seed
from ei_fast.measures.options import MeasureOptions
from ei_fast.measures.profile.auto import profile_of
from ei_fast.measures.profile.estimate import LayerProfile
from ei_fast.measures.stages import run_here
from ei_fast.parameters import OWNER, MeasuringOptions, Settings, measuring_and_reading, shows_keywords
from ei_fast.results.flags import Flag
from ei_fast.results.information_profile import InformationProfile, information_profile_of
from ei_fast.runtime.threads import Threads
from ei_fast.validation import as_numpy_ships

_OWNER = "information_profile"


@shows_keywords(Measurement, as_network)
@as_numpy_ships
def information_profile(layer: Any, **params: Unpack[MeasuringOptions]) -> InformationProfile:
    """Measure what the inputs of a layer tell about its outputs together, alone, and once all others are known.

    Parameters
    ----------
    layer : Layer, Function, 2-D array (n_in, n_out), or a network of one layer
        What is measured.
    bins, activation, in_range, out_range, out_of_range, baseline : optional
        What is measured: see `EffectiveInformation`. `out_of_range` must be "clip".
    joint, pairwise, entropy, n_samples, tol, effort, random_state, n_jobs, verbose, pairwise_edges, matrices : optional
        How it is measured: see `EffectiveInformation`. `tol` is aimed for in EI; in the sum of I(X_i; Y) relative to
        EI, and in the sum of I(X_i; Y | X_others) twice that relative to the sum, where these are more than `tol` bits.
        `n_samples` are points of EI, and of each of the two sums. `entropy` is the estimator of EI.
    order, prefix, layout, norm_place, norm_eps, chain, layers : optional
        How a dict or file of weights is read: see `as_network`.
    blocks, heads, verify, input_shape, example_inputs, unroll, names : optional
        How the model is read: see `as_network`.

    Returns
    -------
    InformationProfile
        I(X_i; Y), I(X_i; Y | X_others) and I(X; Y_j) of every neuron, synergy, and the average degrees of redundancy
        and vulnerability, each with its error.

    Raises
    ------
    TypeError, ValueError
        Before any work: the message names the parameter or layer, the rule, the value and the remedy.

    See Also
    --------
    plot_profile : Draws it.

    Notes
    -----
    Every input is uniform and independent, do(X = H^max). Then I(X_i; Y) <= I(X_i; Y | X_others), and EI = I(X; Y) lies
    between the sums of both (chain rule). With one source for each input, the average degrees of redundancy and of
    vulnerability are sum I(X_i; Y) / EI and sum I(X_i; Y | X_others) / EI (Gutknecht et al. 2025, arXiv:2504.15779).
    The intervention leaves the inputs nothing in common, so that EI - sum I(X_i; Y) is the layer's synergy
    (arXiv:2605.03267). With one source for each output, sum I(X; Y_j) / EI is the degree of redundancy from the other
    side: k for k copies of one output.

    Neither is the degeneracy of causal emergence 2.0, 1 - H(effects) / log2 n, nor the degeneracy of a `LayerReport`.

    Examples
    --------
    >>> import ei_fast as ef
    >>> xor = ef.Function(lambda x: (x > 0.5).sum(axis=1, keepdims=True) % 2, 2, 1, out_range=(0.0, 1.0))
    >>> profile = ef.information_profile(xor, bins=2)
    >>> f"{profile.synergy:.3f} of {profile.ei:.3f} bits"
    '1.000 of 1.000 bits'
    >>> f"{profile.redundancy_degree:.3f} {profile.vulnerability_degree:.3f}"
    '0.000 2.000'
    """
    parameters, reading = measuring_and_reading(params, _OWNER)
    estimator = Measurement(**parameters)
    settings = Settings.checked(estimator.parameters)
    _check_intervention(estimator)
    binned = only_layer(layer, estimator, settings, reading)
    seed = resolve_seed(estimator.random_state, OWNER)
    with Threads(settings.n_jobs) as threads:
        profile = run_here(profile_of(binned, settings.options, seed), threads)
    return information_profile_of(binned, profile, _flags_of(profile, settings.options))


def _check_intervention(estimator: Measurement) -> None:
    """Refuse what leaves no independent inputs, or no EI that sums can be divided by."""
    if estimator.out_of_range != "clip":
        raise ValueError(
            f"The 'out_of_range' parameter of {_OWNER} must be 'clip'. Got {estimator.out_of_range!r} instead: inputs "
            "whose outputs are kept depend on each other, and what they tell alone does not add up. "
            "Use out_of_range='clip'."
        )
    if estimator.joint == "plugin":
        raise ValueError(
            f"The 'joint' parameter of {_OWNER} must not be 'plugin': what that counts is not EI where states of the "
            "inputs hardly repeat, and no sum can be divided by it. Use joint='auto'."
        )


def _flags_of(profile: LayerProfile, options: MeasureOptions) -> list[Flag]:
    """What is to be known before the figures are trusted."""
    flags: list[Flag] = [
        flag for flag in flags_of(profile.joint, options) if flag not in (Flag.UNDERSAMPLED, Flag.TOL_NOT_REACHED)
    ]
    if profile.undersampled:
        flags.append(Flag.UNDERSAMPLED)
    if not profile.reaches(options):
        flags.append(Flag.TOL_NOT_REACHED)
    return flags
