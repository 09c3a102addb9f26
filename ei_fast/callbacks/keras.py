"""Record a Keras model as it trains."""

import os
from typing import Any

import keras

from ei_fast.callbacks import Epochs, log_entries, metrics_of
from ei_fast.estimator import EffectiveInformation
from ei_fast.training.recorder import Recorder
from ei_fast.training.trajectory import checked_path


class RecorderCallback(keras.callbacks.Callback):
    """Measures the model at the end of epochs; give it to ``model.fit(..., callbacks=[...])``.

    Every measured epoch gains ``ei/<layer>``, ``sensitivity/<layer>``, ``degeneracy/<layer>``, ``ei_parts/<layer>`` and
    ``phi_ff/<layer>`` in its `logs`, in bits, for the callbacks after this one and for the history that `fit` returns.
    The losses and metrics that Keras logs are kept in the trajectory. Epochs count from 0, and go on counting over
    several calls of `fit`.

    Parameters
    ----------
    estimator : EffectiveInformation
        Says what is measured and how.
    every : int, default 1
        Epochs that are multiples of it are measured.
    time_budget : float, optional
        Largest part of the training time that measuring may take: see `Recorder`.
    path : str or path, optional
        An ``.npz`` file, opened when training begins, that holds the trajectory after every record. One that exists is
        continued: epochs that it has are not measured again. Where training was broken off by an exception,
        ``callback.recorder.close()`` lets others have it.
    ranges, keep_weights
        Of `Recorder`.

    Attributes
    ----------
    recorder : Recorder
        With `trajectory_` and `report_`.

    Raises
    ------
    TypeError, ValueError
        For parameters that are not allowed; and by `fit`, for a model that cannot be measured.
    """

    def __init__(
        self,
        estimator: EffectiveInformation,
        every: int = 1,
        time_budget: float | None = None,
        path: str | os.PathLike | None = None,
        ranges: str = "each",
        keep_weights: bool = False,
    ):
        super().__init__()
        self.recorder = Recorder(estimator, every, time_budget, ranges=ranges, keep_weights=keep_weights)
        self._path = None if path is None else checked_path(path)
        self._epochs = Epochs()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Open the file."""
        self._epochs.begin()
        if self._path is not None:
            self.recorder.open(self._path)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Measure, if the epoch's turn has come."""
        logs = {} if logs is None else logs
        report = self.recorder.record(self.model, step=self._epochs.step(epoch), **metrics_of(logs))
        if report is not None:
            logs.update(log_entries(report))

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Close the file; say what the time budget left out."""
        self.recorder.close()
