"""A training measured anew from the weights that its trajectory has kept."""

from collections.abc import Mapping
from typing import Any

from ei_fast.estimator import EffectiveInformation
from ei_fast.intervention.streams import resolve_seed
from ei_fast.parameters import OWNER, OneOf, RangesAndSeed, Settings, check_no_files
from ei_fast.training.contents import Contents, no_contents, with_record
from ei_fast.training.continuation import as_given, layers_of, provenance_of
from ei_fast.training.ranges import SAID, LayerRanges, hull_of_records, ranges_of_record

_CONVENTION = OneOf(tuple(SAID))


def remeasured(
    recorded: Contents,
    ranges: str | None,
    params: Mapping[str, Any],
    params_at_last: Mapping[str, Any] | None = None,
) -> Contents:
    """The contents of the trajectory that `Trajectory.remeasure` returns, of those of the one that was recorded.

    Parameters
    ----------
    recorded : Contents
        With the networks of all records.
    ranges : str or None
        Convention of the ranges; None for that of the recording.
    params : mapping
        Parameters of `EffectiveInformation` that are to be others than recorded.
    params_at_last : mapping, optional
        Those of the last record alone, over the same ranges.
    """
    networks, provenance = recorded["networks"], recorded["provenance"]
    if networks is None:
        raise ValueError(
            "Trajectory.remeasure needs the weights of every record, and the trajectory has none. "
            "Record with Recorder(..., keep_weights=True)."
        )
    convention = _CONVENTION.checked("ranges", ranges or provenance.get("convention", "each"), "Trajectory.remeasure")
    as_recorded = {name: as_given(value) for name, value in provenance.get("parameters", {}).items()}
    estimator = EffectiveInformation(**(as_recorded | dict(params)))
    settings = Settings.checked(estimator.parameters)
    check_no_files(settings, "Trajectory.remeasure")
    settings_at_last = Settings.checked(estimator.parameters | dict(params_at_last or {}))
    seed = provenance.get("seed")
    if seed is None or "random_state" in params:
        seed = resolve_seed(estimator.random_state, OWNER)
    known: LayerRanges = ()
    if convention == "all":
        known = hull_of_records(network.ranges(settings.in_range, settings.out_range) for network in networks)
    result = no_contents(recorded["layers"])
    for t, network in enumerate(networks):
        of_record, known = ranges_of_record(convention, network, settings, known)
        at_record = settings_at_last if t == len(networks) - 1 else settings
        report = estimator.measure(network, at_record, RangesAndSeed(of_record, seed, convention))
        metrics = {name: float(values[t]) for name, values in recorded["metrics"].items()}
        result = with_record(result, int(recorded["steps"][t]), report, metrics, network)
        result["provenance"] = provenance_of(estimator, RangesAndSeed(known, seed, convention), layers_of(network))
    return result
