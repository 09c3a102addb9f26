"""What stands around a network in scikit-learn: pipelines, searches, calibrations, and nets of other frameworks.

All of them are told by the names of their classes, so that nothing is imported that the model has not brought.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

_NETWORKS = ("MLPClassifier", "MLPRegressor")
# Estimators of other libraries around one model of a framework: where they hold it once they are fitted.
_NETS_OF_FRAMEWORKS = {"skorch": "module_", "scikeras": "model_", "keras": "model_"}
_SEARCH = "BaseSearchCV"
# Estimators around one fitted estimator.
_AROUND_ONE = {
    **{"TransformedTargetRegressor": "regressor_", "FrozenEstimator": "estimator"},
    **dict.fromkeys(
        ("SelfTrainingClassifier", "TunedThresholdClassifierCV", "FixedThresholdClassifier", "RFE"), "estimator_"
    ),
}
# More than this many candidates are not listed.
_MOST_SHOWN = 4
_AFTER = "comes after the network, whose own outputs are measured"


@dataclass
class Unwrapped:
    """What wrappers hold in the end.

    Attributes
    ----------
    model : object
        An estimator that is no wrapper, or a model of a framework.
    before : list of (str, object)
        Names and fitted transformers that come before it, in order.
    after : list of (str, str)
        Names and reasons of what comes after it, which is skipped.
    """

    model: Any
    before: list[tuple[str, Any]] = field(default_factory=list)
    after: list[tuple[str, str]] = field(default_factory=list)


def is_of_sklearn(model: Any) -> bool:
    """Whether a model is an estimator of scikit-learn, or made to be used as one, and no module of a framework."""
    return "sklearn" in _libraries(model) and _holds_model(model) is None and not _is_module(model)


def holds_model(model: Any) -> bool:
    """Whether an estimator is of another library, and holds a model of a framework."""
    return _holds_model(model) is not None


def model_held(model: Any) -> Any | None:
    """The model of a framework that an estimator holds, however it is wrapped; None where it holds none.

    Raises
    ------
    ValueError, sklearn.exceptions.NotFittedError
        As `unwrapped`.
    """
    if not (holds_model(model) or is_of_sklearn(model)):
        return None
    inner = unwrapped(model).model
    return inner if not _is_estimator(inner) else None


def unwrapped(model: Any) -> Unwrapped:
    """What an estimator holds in the end, and what stands before and after it.

    Raises
    ------
    ValueError
        Where it holds several networks, or none since it was told to keep none, naming what can be passed instead.
    sklearn.exceptions.NotFittedError
        Where it was not fitted.
    """
    found = Unwrapped(model)
    while True:
        inner = _inside(found)
        if inner is None:
            return found
        found.model = inner


def _inside(found: Unwrapped) -> Any | None:
    """What the outermost wrapper holds; None for what is no wrapper."""
    model, kinds = found.model, _kinds(found.model)
    held = _holds_model(model)
    if held is not None:
        return _fitted_model(model, held)
    if not _is_estimator(model):
        return None
    if "Pipeline" in kinds:
        _check_is_fitted(model)
        found.before += [(name, step) for name, step in model.steps[:-1] if step not in (None, "passthrough")]
        return model.steps[-1][1]
    if _SEARCH in kinds:
        return _best_of(model)
    if "CalibratedClassifierCV" in kinds:
        _check_is_fitted(model)
        found.after.append(("calibration", f"{type(model).__name__} {_AFTER}"))
        return _only(model, [(f"calibrated_classifiers_[{k}].estimator", one.estimator) for k, one in _numbered(model)])
    around = next((attribute for kind, attribute in _AROUND_ONE.items() if kind in kinds), None)
    if around is not None:
        return _around_one(found, model, around)
    several = getattr(model, "estimators_", None)
    if several is not None and any(_is_network(one) for _, one in _flat(several)):
        return _only(model, [(f"estimators_{place}", one) for place, one in _flat(several)])
    return None


def _numbered(model: Any) -> Iterator[tuple[int, Any]]:
    return enumerate(model.calibrated_classifiers_)


def _around_one(found: Unwrapped, model: Any, attribute: str) -> Any:
    _check_is_fitted(model)
    kinds = _kinds(model)
    if "RFE" in kinds:
        found.before.append(("selection", model))
    if attribute == "regressor_" and not _is_identity(model.transformer_):
        what = f"{type(model.transformer_).__name__} of {type(model).__name__}, undone,"
        found.after.append(("transformer", f"{what} {_AFTER}"))
    return getattr(model, attribute)


def _is_identity(transformer: Any) -> bool:
    return "FunctionTransformer" in _kinds(transformer) and transformer.inverse_func is None


def _best_of(search: Any) -> Any:
    """The estimator that a search has fitted in the end."""
    _check_is_fitted(search)
    if not hasattr(search, "best_estimator_"):
        raise ValueError(
            f"The {type(search).__name__} holds no fitted estimator, since it was made with refit=False. Set "
            "refit=True and fit it again, or fit search.estimator with the parameters search.best_params_ and pass it."
        )
    return search.best_estimator_


def _fitted_model(estimator: Any, attribute: str) -> Any:
    """The model of a framework that an estimator of another library holds."""
    model = getattr(estimator, attribute, None)
    if model is None:
        from sklearn.exceptions import NotFittedError

        raise NotFittedError(
            f"The {type(estimator).__name__} is not fitted: it makes its model when it sees data. Call its fit with "
            "inputs and targets, and measure it then."
        )
    return model


def _only(model: Any, held: list[tuple[str, Any]]) -> Any:
    """The one estimator that an ensemble holds."""
    if len(held) == 1:
        return held[0][1]
    names = [f"model.{place}" for place, _ in held]
    if len(names) > _MOST_SHOWN:
        names[_MOST_SHOWN - 1 : -1] = ["..."]
    raise ValueError(
        f"The {type(model).__name__} holds {len(held)} networks, which do not feed each other. Pass one of them: "
        f"{', '.join(names)}."
    )


def _flat(estimators: Any) -> list[tuple[str, Any]]:
    """Estimators of a list, or of lists and arrays in it, each with its place."""
    found: list[tuple[str, Any]] = []
    for k, one in enumerate(estimators):
        if isinstance(one, (list, tuple)) or hasattr(one, "tolist"):
            found += [(f"[{k}]{place}", inner) for place, inner in _flat(one)]
        elif _is_estimator(one):
            found.append((f"[{k}]", one))
    return found


def _is_network(estimator: Any) -> bool:
    """Whether what an estimator holds in the end is a network, as far as can be told without fitting."""
    try:
        inner = unwrapped(estimator).model
    except ValueError:
        # There are several, or it is one of another library that is not fitted.
        return True
    return not _is_estimator(inner) or not _kinds(inner).isdisjoint(_NETWORKS)


def _check_is_fitted(model: Any) -> None:
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(model)


def _holds_model(model: Any) -> str | None:
    """Where an estimator of another library holds a model of a framework; None for all else."""
    if "sklearn" not in _libraries(model):
        return None
    modules = [base.__module__ for base in type(model).__mro__]
    if any(module.startswith(("keras.src.wrappers", "keras.wrappers")) for module in modules):
        return _NETS_OF_FRAMEWORKS["keras"]
    libraries = _libraries(model)
    return next((_NETS_OF_FRAMEWORKS[one] for one in ("skorch", "scikeras") if one in libraries), None)


def _is_estimator(model: Any) -> bool:
    return "sklearn" in _libraries(model) and not _is_module(model)


def _is_module(model: Any) -> bool:
    """Whether an object is a module of a framework that can be used as an estimator as well."""
    bases = {(base.__module__.split(".")[0], base.__name__) for base in type(model).__mro__}
    return not bases.isdisjoint({("torch", "Module"), ("keras", "Layer"), ("flax", "Module")})


def _libraries(model: Any) -> set[str]:
    return {base.__module__.split(".")[0] for base in type(model).__mro__}


def _kinds(model: Any) -> set[str]:
    """Names of the classes of scikit-learn that an estimator is of."""
    return {base.__name__ for base in type(model).__mro__ if base.__module__.startswith("sklearn.")}
