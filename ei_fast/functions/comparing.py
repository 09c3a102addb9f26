"""Two measurements, or two networks, compared."""

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtr, stdtrit
from tqdm import tqdm

from ei_fast.adapters import as_network
from ei_fast.estimator.measurement import Measurement
from ei_fast.functions.seeds import Purpose, seed_for
from ei_fast.measures.quantities import NAMES
from ei_fast.parameters import (
    Integer,
    MeasuringOptions,
    RangesAndSeed,
    check_no_files,
    measuring_and_reading,
    shows_keywords,
)
from ei_fast.results.comparison import (
    Comparison,
    LayerComparison,
    compared,
    is_same,
    known_of_layer,
    plain_difference,
    what_differs,
)
from ei_fast.results.differences import Difference, Known, finished, in_stderrs
from ei_fast.results.layer_report import LayerReport
from ei_fast.results.matching import Match, left_out, matched
from ei_fast.results.report import Report
from ei_fast.validation import as_numpy_ships

_OWNER = "compare"
_REPEATS = 8
_COUNT = Integer(2, allows_none=True)


@shows_keywords(Measurement, as_network)
@as_numpy_ships
def compare(
    a: Any, b: Any, match: Match = None, repeats: int | None = None, **params: Unpack[MeasuringOptions]
) -> Comparison:
    """Compare two reports, or measure two networks and compare them: differences of all figures, with errors.

    Of two reports the errors are taken to be independent. Those that were measured with one seed share their random
    numbers, so that most of the errors cancel in the difference, by how much no report says: the stated errors are
    then mostly too large. Two models are measured together instead, with several seeds, each of which both have in
    common; how the difference varies from seed to seed is its error.

    Parameters
    ----------
    a, b : Report, or whatever `as_network` accepts
        Two reports, or two models. Differences are those of the second from the first, b - a.
    match : sequence of str, or dict of str to str, optional
        Names of the layers that are compared, which both have; or names in the first, with those in the second. Where
        not given, all layers are, and both must have the same names.
    repeats : int, optional
        Of two models, the number of seeds, 2 at least; 8 where not given.
    bins, activation, in_range, out_range, out_of_range, baseline : optional
        Of two models, what is measured: see `EffectiveInformation`. Each is measured over ranges of its own, unless
        `out_range` says otherwise.
    joint, pairwise, entropy, n_samples, tol, effort, random_state, n_jobs, verbose, pairwise_edges, matrices : optional
        Of two models, how they are measured: see `EffectiveInformation`.
    order, prefix, layout, norm_place, norm_eps, chain, layers : optional
        How a dict or file of weights is read: see `as_network`.
    blocks, heads, verify, input_shape, example_inputs, unroll, names : optional
        How the models are read: see `as_network`.

    Returns
    -------
    Comparison
        Of every layer and measure both figures, their difference with its error and interval, and the difference in
        standard errors.

    Raises
    ------
    TypeError, ValueError
        Before any work: for layers that do not match, for a report beside a model, and for parameters of a
        measurement beside two reports.

    See Also
    --------
    null_report : Compares a network with chance.
    Trajectory.compare : Compares two trainings.
    plot_comparison : Draws what is found.

    Notes
    -----
    With the differences d_r of R seeds the error is their standard deviation divided by sqrt(R). The interval takes
    Student's t with R - 1 degrees of freedom, and adds the biases that the intervals of both figures allow for, which
    no repetition shows; z is the normal deviate as probable as this t.

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> weight = np.random.default_rng(0).normal(size=(4, 3))
    >>> before, after = (ef.analyze({"w0": w}, random_state=0) for w in (weight, 3 * weight))
    >>> found = ef.compare(before, after)["layer0"].ei
    >>> bool(found.low < found.difference < found.high), found.z > 5
    (True, True)

    The same networks, measured together: the error is smaller.

    >>> together = ef.compare({"w0": weight}, {"w0": 3 * weight}, random_state=0)[0].ei
    >>> together.stderr < found.stderr
    True
    """
    _check_kinds(a, b, repeats, params)
    if isinstance(a, Report):
        return compared(a, b, match, _OWNER)
    n = _COUNT.checked("repeats", repeats, _OWNER) or _REPEATS
    parameters, reading = measuring_and_reading(params, _OWNER)
    estimator = Measurement(**parameters)
    checked = [estimator.check(model, **reading) for model in (a, b)]
    check_no_files(checked[0][1], _OWNER)
    first, second = ([str(layer.name) for layer in network] for network, _, _ in checked)
    pairs = matched(first, second, match, _OWNER)
    seed, verbose = checked[0][2].seed, bool(estimator.verbose)
    estimator.verbose = 0
    reports: list[tuple[Report, Report]] = []
    for r in tqdm(range(n), desc="repeating") if verbose else range(n):
        common = seed_for(seed, Purpose.REPEATS, r)
        one, other = (
            estimator.measure(network, settings, RangesAndSeed(own.ranges, common))
            for network, settings, own in checked
        )
        reports.append((one, other))
    shared = [estimator.parameters] * 2
    layers = [_of_repeats([(one[name], other[name_b]) for one, other in reports], shared) for name, name_b in pairs]
    return Comparison(layers, left_out(first, second, pairs), n)


def _check_kinds(a: Any, b: Any, repeats: Any, params: MeasuringOptions) -> None:
    """Raise TypeError where a report stands beside a model, or is to be measured."""
    if isinstance(a, Report) != isinstance(b, Report):
        which = "second" if isinstance(a, Report) else "first"
        raise TypeError(
            f"{_OWNER} takes two reports, or two models. Got a model as the {which}, beside a report. Measure it with "
            "ef.analyze, or give both as models."
        )
    given = [*(["repeats"] if repeats is not None else []), *params]
    if isinstance(a, Report) and given:
        raise TypeError(
            f"{_OWNER} of two reports measures nothing, and takes no parameter but 'match'. Got {given[0]!r}. Leave it "
            "out, or give both models in place of their reports."
        )


def _of_repeats(pairs: Sequence[tuple[LayerReport, LayerReport]], parameters: Sequence[Any]) -> LayerComparison:
    """The comparison of a layer that was measured several times, each time with a seed in common."""
    known = [[known_of_layer(one) for one in layers] for layers in zip(*pairs, strict=True)]
    same = all(is_same(*pair) for pair in pairs)
    found = {
        name: _difference([one[name] for one in known[0]], [one[name] for one in known[1]], same) for name in NAMES
    }
    one, other = pairs[0]
    return LayerComparison(one.name, other.name, **found, differs=what_differs(one, other, parameters), is_same=same)


def _difference(of_a: Sequence[Known], of_b: Sequence[Known], same: bool) -> Difference:
    """The mean difference of several pairs of figures, with an error by how it varies."""
    a, b = _mean(of_a), _mean(of_b)
    differences = np.array([float(two.value - one.value) for one, two in zip(of_a, of_b, strict=True)])
    n = len(differences)
    value = differences.mean()
    # Of figures that are the same each time rounding would leave an error.
    stderr = 0.0 if np.all(differences == differences[0]) else differences.std(ddof=1) / np.sqrt(n)
    (a_below, a_above), (b_below, b_above) = a.biases, b.biases
    half = stdtrit(n - 1, 0.975) * stderr
    low, high = value - (half + b_below + a_above), value + (half + b_above + a_below)
    t = in_stderrs(value, stderr, max(abs(float(a.value)), abs(float(b.value))))
    return plain_difference(
        finished(a, b, Difference(a.value, b.value, value, np.float64(stderr), low, high, _normal(t, n - 1)), same)
    )


def _mean(repeats: Sequence[Known]) -> Known:
    """Means of figures and of the ends of their intervals; bracketed where any is."""
    names = ("value", "stderr", "low", "high")
    means = {name: np.float64(np.mean([getattr(one, name) for one in repeats])) for name in names}
    return Known(**means, bracketed=np.bool_(any(bool(one.bracketed) for one in repeats)))  # type: ignore[arg-type]


def _normal(t: NDArray[np.float64], degrees: int) -> NDArray[np.float64]:
    """The normal deviate that is as improbable as a value of Student's t."""
    deviate: NDArray[np.float64] = np.copysign(-ndtri(stdtr(degrees, -np.abs(t))), t)
    return deviate
