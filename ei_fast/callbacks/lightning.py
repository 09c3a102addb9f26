"""Record a Lightning module as it trains."""

import os
from collections.abc import Callable
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities.model_helpers import is_overridden

from ei_fast.callbacks.epochs import EpochRecorder, attribute_at, log_entries
from ei_fast.estimator import EffectiveInformation
from ei_fast.training.recorder import Recorder
from ei_fast.training.trajectory import Trajectory


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
    module : str or callable, optional
        The part of the module that is measured: the path of an attribute ("net", "encoder.head"), or what is called on
        the module and returns the part. By default the module itself or, where it has no `forward` of its own, the one
        part that has one.
    on_error : "warn" or "raise", default "warn"
        An epoch that cannot be recorded, because weights are no longer finite or a disk is full, is left out with one
        warning, and training goes on; or ends the training.
    **adapter_options
        Of `as_network`: `blocks`, `input_shape`, `verify` ...

    Attributes
    ----------
    recorder : Recorder
        With `trajectory_` and `report_`; in other processes than that of rank zero it stays empty.

    Raises
    ------
    TypeError, ValueError
        For parameters that are not allowed; and by `Trainer.fit`, before the first epoch, for a module that cannot be
        measured.
    """

    def __init__(
        self,
        estimator: EffectiveInformation,
        every: int = 1,
        time_budget: float | None = None,
        path: str | os.PathLike | None = None,
        ranges: str = "each",
        keep_weights: bool = False,
        module: str | Callable[[pl.LightningModule], Any] | None = None,
        on_error: str = "warn",
        **adapter_options: Any,
    ):
        options = {"ranges": ranges, "keep_weights": keep_weights} | adapter_options
        self._epochs = EpochRecorder(estimator, every, time_budget, path, module, on_error, _part_of, **options)

    @property
    def recorder(self) -> Recorder:
        return self._epochs.recorder

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Open the file; refuse a module that cannot be measured."""
        if stage != "fit":
            return
        if trainer.is_global_zero:
            self._epochs.begin()
        # In all processes, so that none waits for one that was refused.
        if _is_complete(pl_module):
            self._epochs.check(pl_module)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Measure, if the epoch's turn has come."""
        if not trainer.is_global_zero:
            return
        report = self._epochs.record(pl_module, trainer.current_epoch, trainer.callback_metrics)
        if report is not None:
            # Nothing is synchronised where only rank zero logs; that it is asked for keeps Lightning from advising it.
            pl_module.log_dict(log_entries(report), rank_zero_only=True, sync_dist=True)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Close the file; say what was left out."""
        if stage == "fit":
            self._epochs.end()

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


def _is_complete(module: pl.LightningModule) -> bool:
    """Whether all of the module is there before its first batch."""
    lazy = any(torch.nn.parameter.is_lazy(one) for one in module.parameters())
    return not lazy and not is_overridden("configure_model", module)


def _part_of(module: pl.LightningModule, path: str | None) -> torch.nn.Module:
    """The part of a module that a path leads to; without one what can be run and learns."""
    if path is not None:
        part = attribute_at(module, path)
        if isinstance(part, torch.nn.Module):
            return part
        names = [name for name, _ in module.named_modules() if name]
        raise ValueError(
            f"The 'module' parameter of RecorderCallback must name a part of the {type(module).__name__}. "
            f"Got {path!r}; it has {', '.join(names)}."
        )
    if is_overridden("forward", module):
        return module
    parts = {name: child for name, child in module.named_children() if _learns(child)}
    if len(parts) == 1:
        return next(iter(parts.values()))
    found = f"it has {', '.join(parts)}" if parts else "none of its parts has parameters and a forward"
    example = next(iter(parts), "net")
    raise ValueError(
        f"The {type(module).__name__} has no forward, so that RecorderCallback has to be told what to measure; "
        f"{found}. Name a part, module={example!r}, or give a callable that returns one."
    )


def _learns(part: torch.nn.Module) -> bool:
    """Whether a part can be run and has something to learn: a loss or a metric has not."""
    runs = type(part).forward is not torch.nn.Module.forward
    return runs and next(part.parameters(), None) is not None
