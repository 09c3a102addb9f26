"""Record a Lightning module as it trains."""

import os
from typing import Any

import lightning.pytorch as pl

from ei_fast.callbacks import Epochs, log_entries, metrics_of
from ei_fast.estimator import EffectiveInformation
from ei_fast.training.recorder import Recorder
from ei_fast.training.trajectory import Trajectory, checked_path


class RecorderCallback(pl.Callback):
    """Measures the module at the end of training epochs; give it to ``Trainer(callbacks=[...])``.

    Only the process of rank zero measures. Every measured epoch logs ``ei/<layer>``, ``sensitivity/<layer>``,
    ``degeneracy/<layer>``, ``ei_parts/<layer>`` and ``phi_ff/<layer>``, in bits. What the module has logged is kept in
    the trajectory. Checkpoints hold the trajectory, so that training which is resumed from one goes on recording.

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
        continued: epochs that it has are not measured again. Where it and a checkpoint differ, the longer one counts.
    ranges, keep_weights
        Of `Recorder`.

    Attributes
    ----------
    recorder : Recorder
        With `trajectory_` and `report_`; in other processes than that of rank zero it stays empty.

    Raises
    ------
    TypeError, ValueError
        For parameters that are not allowed; and by `Trainer.fit`, for a module that cannot be measured.
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
        self.recorder = Recorder(estimator, every, time_budget, ranges=ranges, keep_weights=keep_weights)
        self._path = None if path is None else checked_path(path)
        self._epochs = Epochs()

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Open the file."""
        if stage == "fit":
            self._epochs.begin()
            if self._path is not None and trainer.is_global_zero:
                self.recorder.open(self._path)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Measure, if the epoch's turn has come."""
        if not trainer.is_global_zero:
            return
        step = self._epochs.step(trainer.current_epoch)
        report = self.recorder.record(pl_module, step=step, **metrics_of(trainer.callback_metrics))
        if report is not None:
            # Nothing is synchronised where only rank zero logs; that it is asked for keeps Lightning from advising it.
            pl_module.log_dict(log_entries(report), rank_zero_only=True, sync_dist=True)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Close the file; say what the time budget left out."""
        if stage == "fit":
            self.recorder.close()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Let others have the file."""
        self.recorder.close()

    def state_dict(self) -> dict[str, Any]:
        """The trajectory, as plain values."""
        return {"trajectory": self.recorder.trajectory_.to_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the trajectory of a checkpoint."""
        longest = max(self.recorder.trajectory_, Trajectory.from_dict(state_dict["trajectory"]), key=len)
        if len(longest):
            self.recorder.resume(longest, "The trajectory of the checkpoint")
        # The epochs that follow are those of the checkpoint, measured before or not.
        self._epochs.forget()
