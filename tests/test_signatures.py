"""Functions that hand keywords on say which, in their signatures and to type checkers."""

import pydoc
from contextlib import suppress
from importlib import import_module
from inspect import Parameter, signature
from typing import Literal, get_args, get_origin

import pytest

import ei_fast as ef
from ei_fast.cluster import plan
from ei_fast.parameters import (
    CONSTRAINTS,
    AdapterOptions,
    EntropyName,
    OneOf,
    OutRange,
    Parameters,
    ParametersBesideBins,
    ReadingOptions,
)
from ei_fast.training.ranges import SAID


def _callbacks():
    """Those of the frameworks that are installed."""
    for framework in ("keras", "lightning", "skorch", "transformers"):
        with suppress(ef.MissingExtra):
            yield import_module(f"ei_fast.callbacks.{framework}").RecorderCallback


ESTIMATOR_METHODS = [getattr(ef.EffectiveInformation, name) for name in ("fit", "check", "choices")]
READING = [
    *ESTIMATOR_METHODS,
    ef.Recorder,
    plan,
    *_callbacks(),
]
MEASURES = [
    ef.analyze,
    ef.ablation,
    ef.compare,
    ef.null_report,
    ef.effective_information,
    ef.information_profile,
    ef.sensitivity_matrix,
    ef.ei_parts_matrix,
]
OF_DRAWN_INPUTS = [ef.effective_information, ef.sensitivity_matrix, ef.ei_parts_matrix]


def _types(function, leaving_out=()):
    parameters = signature(function).parameters
    return {name: parameter.annotation for name, parameter in parameters.items() if name not in leaving_out}


def _all_keywords():
    """Of what reads a model and measures it: the parameters of the estimator, then the options of `as_network`."""
    options = signature(ef.as_network).parameters
    own = dict(signature(ef.EffectiveInformation).parameters)
    return own | {name: options[name] for name in AdapterOptions.__annotations__}


def _keywords(function):
    parameters = signature(function).parameters
    assert not any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters.values())
    return {name: parameter for name, parameter in parameters.items() if parameter.kind is Parameter.KEYWORD_ONLY}


def test_the_typed_parameters_are_those_of_the_estimator():
    assert Parameters.__annotations__ == _types(ef.EffectiveInformation)
    assert list(Parameters.__annotations__) == list(_types(ef.EffectiveInformation))
    assert ParametersBesideBins.__annotations__ == _types(ef.EffectiveInformation, ["bins"])
    assert not Parameters.__required_keys__ | ParametersBesideBins.__required_keys__


def test_the_typed_options_are_those_of_as_network():
    assert ReadingOptions.__annotations__ == _types(ef.as_network, ["model"])
    assert AdapterOptions.__annotations__ == _types(ef.as_network, ["model", "activation", "in_range"])
    assert not ReadingOptions.__required_keys__ | AdapterOptions.__required_keys__


def test_every_parameter_is_checked_and_typed_as_it_is_checked():
    # Activations are checked with the model, and the source of randomness where it is used.
    assert {*CONSTRAINTS, "activation", "random_state"} == Parameters.__annotations__.keys()
    rules = [get_args(option) for option in get_args(OutRange) if get_origin(option) is Literal]
    assert rules == [CONSTRAINTS["out_range"].rules]
    for name, constraint in CONSTRAINTS.items():
        if isinstance(constraint, OneOf):
            assert get_args(Parameters.__annotations__[name]) == constraint.options


def test_a_curve_shows_them_behind_keywords_of_its_own():
    assert list(_keywords(ef.ablation_curve)) == ["n_random", "held_at", *_all_keywords()]


@pytest.mark.parametrize("function", MEASURES, ids=lambda function: function.__name__)
def test_functions_show_the_parameters_of_the_estimator_with_their_defaults(function):
    expected, keywords = _all_keywords(), _keywords(function)
    if function in OF_DRAWN_INPUTS:
        assert keywords.pop("in_distribution").default is None
    assert list(keywords) == list(expected)
    for name, parameter in keywords.items():
        assert (parameter.default, parameter.annotation) == (expected[name].default, expected[name].annotation)


def test_a_sweep_shows_all_but_the_bins_that_it_has_itself():
    expected = _all_keywords()
    del expected["bins"]
    assert list(_keywords(ef.bin_sweep)) == list(expected)
    assert signature(ef.bin_sweep).parameters["bins"].default == (4, 8, 16, 32, 64)


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (ef.describe, " ".join(["activation", "in_range", *AdapterOptions.__annotations__])),
        *((function, " ".join(AdapterOptions.__annotations__)) for function in READING),
    ],
)
def test_what_reads_a_model_shows_the_options_of_as_network(function, names):
    expected = signature(ef.as_network).parameters
    keywords = {name: one for name, one in _keywords(function).items() if name in expected}
    assert list(keywords) == names.split()
    for name, parameter in keywords.items():
        assert (parameter.default, parameter.annotation) == (expected[name].default, expected[name].annotation)


def test_noise_form_shows_what_it_has_of_the_estimator():
    expected = _all_keywords()
    own = ["activation", "in_range", "n_samples", "tol", "effort", "random_state", "n_jobs"]
    keywords = _keywords(ef.jacobian_ei)
    assert list(keywords) == ["jacobian", *own, *AdapterOptions.__annotations__]
    for name in [*own, *AdapterOptions.__annotations__]:
        assert keywords[name].default == expected[name].default
        assert name == "in_range" or keywords[name].annotation == expected[name].annotation


def test_measuring_anew_shows_that_parameters_stay_as_recorded():
    keywords = _keywords(ef.Trajectory.remeasure)
    assert list(keywords) == list(Parameters.__annotations__)
    assert {repr(parameter.default) for parameter in keywords.values()} == {"as recorded"}


@pytest.mark.parametrize("function", [*MEASURES, ef.bin_sweep, ef.Trajectory.remeasure])
def test_help_shows_names_types_and_defaults(function):
    text = pydoc.render_doc(function, renderer=pydoc.plaintext)
    assert "tol: float = " in text
    assert "'miller-madow'" in text
    assert "**" not in text.splitlines()[2]


def test_the_names_of_estimators_and_ranges_in_signatures_are_those_that_are_accepted():
    estimators = get_args(signature(ef.mutual_information).parameters["entropy"].annotation)
    assert ("auto", *estimators) == get_args(EntropyName)
    assert all(ef.mutual_information([0, 0, 1, 1], [0, 0, 1, 1], 2, entropy=name) > 0.5 for name in estimators)
    remeasured, nothing = get_args(signature(ef.Trajectory.remeasure).parameters["ranges"].annotation)
    assert (get_args(remeasured), nothing) == (tuple(SAID), type(None))
    recorded = get_args(signature(ef.Recorder).parameters["ranges"].annotation)
    for ranges in SAID:
        if ranges in recorded:
            ef.Recorder(ef.EffectiveInformation(), ranges=ranges)
        else:
            # What all records reach together is known only once the training is over.
            assert ranges == "all"
            with pytest.raises(ValueError, match="'ranges' parameter of Recorder"):
                ef.Recorder(ef.EffectiveInformation(), ranges=ranges)


def test_unknown_keywords_are_refused_all_the_same():
    with pytest.raises(TypeError, match="analyze got an unexpected keyword argument 'bin'. Write 'bins' instead"):
        ef.analyze([[1.0]], bin=4)
    with pytest.raises(TypeError, match="describe got an unexpected keyword argument 'blok'. Write 'blocks' instead"):
        ef.describe([[1.0]], blok=())
    estimator = ef.EffectiveInformation()
    for call in (estimator.fit, estimator.check, estimator.choices, ef.effective_information, ef.bin_sweep):
        with pytest.raises(
            TypeError, match=f"{call.__name__} got an unexpected keyword argument 'odrer'. Write 'order' instead"
        ):
            call([[1.0]], odrer=())
    with pytest.raises(TypeError, match="Recorder got an unexpected keyword argument 'evry'. Write 'every' instead"):
        ef.Recorder(estimator, evry=2)
