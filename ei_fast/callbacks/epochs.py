"""What the callbacks of all frameworks share: epochs that are counted and recorded, and what fails left out."""

import os
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from ei_fast.errors import RecordingWarning
from ei_fast.estimator import EffectiveInformation
from ei_fast.measures.quantities import NAMES
from ei_fast.parameters import OneOf
from ei_fast.results.report import Report
from ei_fast.training.columns import checked_metric
from ei_fast.training.recorder import Recorder
from ei_fast.training.stored import checked_path

LOGGED = NAMES
OWN_PARAMETERS = ("estimator", "every", "time_budget", "path", "ranges", "keep_weights", "module", "on_error")
_ON_ERROR = OneOf(("warn", "raise"))


class EpochRecorder:
    """A `Recorder` for the epochs of a training, which goes on to its end whatever becomes of a record.

    Parameters
    ----------
    module : str, callable or None
        Which part of the model is measured.
    on_error : "warn" or "raise"
        What becomes of an exception while an epoch is recorded.
    part_of : callable
        (model, module) -> what is measured, or ValueError with the names that there are.
    part_type : type
        What parts of models are. They can be called, as functions that return one can, and are none.
    options
        Of `Recorder`.
    """

    def __init__(
        self,
        estimator: EffectiveInformation,
        every: int,
        time_budget: float | None,
        path: str | os.PathLike[str] | None,
        module: str | Callable[[Any], Any] | None,
        on_error: str,
        part_of: Callable[[Any, Any], Any],
        part_type: type,
        **options: Any,
    ):
        self.recorder = Recorder(estimator, every, time_budget, **options)
        is_part = isinstance(module, part_type)
        if is_part or not (module is None or isinstance(module, str) or callable(module)):
            got = f"a {type(module).__name__} itself" if is_part else repr(module)
            raise TypeError(
                "The 'module' parameter of RecorderCallback must be the path of a part of the model, like 'net' or "
                f"'encoder.head', or a function that is given the model and returns the part. Got {got} instead."
            )
        self._raises = _ON_ERROR.checked("on_error", on_error, "RecorderCallback") == "raise"
        self._path = None if path is None else checked_path(path)
        self._module, self._part_of = module, part_of
        self._epochs = Epochs()
        self._failed: list[int] = []
        self._left_out_metrics: set[str] = set()

    def begin(self, is_trial: bool = False) -> None:
        """A training begins: its epochs count on, and the file is opened, unless what it makes is thrown away."""
        self._epochs.begin()
        self._failed = []
        if self._path is not None and not is_trial:
            self.recorder.open(self._path)

    def forget(self) -> None:
        """The epochs that follow have the numbers that the training gives them."""
        self._epochs.forget()

    def check(self, model: Any) -> None:
        """Raise what stands in the way of recording `model`, before it has been trained in vain."""
        try:
            self.recorder.check(self._part(model))
        except BaseException as error:
            # It is not this training that will use the file.
            self.break_off(error)
            raise

    def record(self, model: Any, epoch: int, logs: Mapping[str, Any]) -> Report | None:
        """Measure `model`, if its turn has come; None as well where that failed, which is said once."""
        step = self._epochs.step(epoch)
        try:
            return self.recorder.record(self._part(model), step=step, **self._metrics(logs))
        except Exception as error:
            if self._raises:
                raise
            if not self._failed:
                warnings.warn(
                    f"Epoch {step} is not recorded, and training goes on: {type(error).__name__}: {error} Later epochs "
                    "that cannot be recorded are left out without another word; on_error='raise' ends the training.",
                    RecordingWarning,
                    stacklevel=3,
                )
            self._failed.append(step)
            return None

    def end(self) -> None:
        """Let others have the file; say what was left out."""
        try:
            self.recorder.close()
        except Exception as error:
            if self._raises:
                raise
            warnings.warn(
                f"The recorder could not be closed: {type(error).__name__}: {error}", RecordingWarning, stacklevel=3
            )
        if len(self._failed) > 1:
            warnings.warn(
                f"{len(self._failed)} epochs could not be recorded, the first was {self._failed[0]}, the last "
                f"{self._failed[-1]}.",
                RecordingWarning,
                stacklevel=3,
            )

    def break_off(self, reason: BaseException) -> None:
        """Let others have the file; what goes wrong with that is told by the exception that ends the training."""
        try:
            self.recorder.close()
        except Exception as error:
            reason.add_note(f"The recorder could not be closed: {type(error).__name__}: {error}")

    def _part(self, model: Any) -> Any:
        if not callable(self._module):
            return self._part_of(model, self._module)
        part = self._module(model)
        if part is None:
            raise TypeError(
                "The function that is the 'module' parameter of RecorderCallback must return what is measured of the "
                "model. Got None instead."
            )
        return part

    def _metrics(self, logs: Mapping[str, Any]) -> dict[str, float]:
        """What is kept of a framework's logs: all but measures of this package, which logs hold on to.

        Nor the names of `Recorder.record`'s own parameters: Lightning's loggers count steps as a metric.
        """
        kept = {}
        for name, value in logs.items():
            if name in ("model", "step") or (name.partition("/")[0] in LOGGED and "/" in name):
                continue
            try:
                kept[name] = checked_metric(name, value, "RecorderCallback")
            except (TypeError, ValueError) as error:
                if self._raises:
                    raise
                if name not in self._left_out_metrics:
                    warnings.warn(f"A metric is not kept: {error}", RecordingWarning, stacklevel=4)
                self._left_out_metrics.add(name)
        return kept


class Epochs:
    """Epochs counted on over several trainings, each of which counts from 0 again unless it is told otherwise."""

    def __init__(self) -> None:
        self._last, self._offset, self._begins = -1, 0, True

    def begin(self) -> None:
        """Another training begins."""
        self._begins = True

    def forget(self) -> None:
        """What follows has the numbers that the training gives it."""
        self._last = -1

    def step(self, epoch: int) -> int:
        """The number of an epoch that the training counts as `epoch`."""
        if self._begins:
            self._offset = 0 if epoch > self._last else self._last + 1 - epoch
            self._begins = False
        self._last = epoch + self._offset
        return self._last


def log_entries(report: Report) -> dict[str, float]:
    """What a framework's logs are told of every layer, in bits: ``ei/<layer>``, ``sensitivity/<layer>``, ..."""
    return {f"{measure}/{layer.name}": float(getattr(layer, measure)) for measure in LOGGED for layer in report}


def attribute_at(model: Any, path: str) -> Any:
    """What `path`, attributes joined by dots, leads to from `model`; None where it leads nowhere."""
    found = model
    for name in path.split("."):
        # Lists of layers have numbers for names.
        if name.isdigit() and hasattr(found, "__getitem__") and int(name) < len(found):
            found = found[int(name)]
        else:
            found = getattr(found, name, None)
        if found is None:
            return None
    return found


def named_part(module: Any, path: str, kind: type) -> Any:
    """The part of a module of PyTorch that a path leads to, of this kind; ValueError where there is none."""
    part = attribute_at(module, path)
    if isinstance(part, kind):
        return part
    names = [name for name, _ in module.named_modules() if name]
    raise ValueError(
        f"The 'module' parameter of RecorderCallback must name a part of the {type(module).__name__}. "
        f"Got {path!r}; it has {', '.join(names) or 'none'}."
    )
