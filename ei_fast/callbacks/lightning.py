"""Record a Lightning module as it trains."""

import copy
import os
from collections.abc import Callable
from typing import Any, Unpack

from ei_fast.errors import missing_extra

try:
    import lightning.pytorch as pl
    import torch
    from lightning.pytorch.strategies import DeepSpeedStrategy, FSDPStrategy, ModelParallelStrategy
except ImportError as error:
    raise missing_extra("ei_fast.callbacks.lightning", "Lightning", "lightning") from error

from ei_fast.adapters import as_network
from ei_fast.callbacks.epochs import OWN_PARAMETERS, EpochRecorder, log_entries, named_part
from ei_fast.estimator import EffectiveInformation
from ei_fast.parameters import AdapterOptions, check_adapter_options, shows_keywords
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
        A run with `fast_dev_run` does not touch it.
    ranges : "each" or "first", default "each"
        Over which ranges outputs of unbounded activations are binned: see `Recorder`.
    keep_weights : bool, default False
        Whether the trajectory keeps the weights of every record: see `Recorder`.
    module : str or callable, optional
        The part of the module that is measured: the path of an attribute ("net", "encoder.head"), or what is called on
        the module and returns the part. By default the module itself or, where it has no `forward` of its own, the one
        part that has one.
    on_error : "warn" or "raise", default "warn"
        An epoch that cannot be recorded, because weights are no longer finite or a disk is full, is left out with one
        warning, and training goes on; or ends the training.
    order, prefix, layout, norm_place, norm_eps, chain, layers : optional
        How a dict or file of weights is read: see `as_network`.
    blocks, heads, verify, input_shape, example_inputs, unroll, names : optional
        How the model is read: see `as_network`.

    Attributes
    ----------
    recorder : Recorder
        With `trajectory_` and `report_`; in other processes than that of rank zero it stays empty.

    Raises
    ------
    TypeError, ValueError
        For parameters that are not allowed; and by `Trainer.fit`, before the first epoch, for a module that cannot be
        measured, or a strategy that leaves every process a part of the weights, as FSDP does.

    Examples
    --------
    >>> import ei_fast as ef
    >>> from lightning.pytorch import Trainer
    >>> callback = RecorderCallback(ef.EffectiveInformation(random_state=0), every=10, path="run.npz")
    >>> Trainer(max_epochs=100, callbacks=[callback]).fit(module, loader)  # doctest: +SKIP
    >>> callback.recorder.trajectory_
    Trajectory(0 steps, layers )
    """

    @shows_keywords(as_network)
    def __init__(
        self,
        estimator: EffectiveInformation,
        every: int = 1,
        time_budget: float | None = None,
        path: str | os.PathLike[str] | None = None,
        ranges: str = "each",
        keep_weights: bool = False,
        module: str | Callable[[pl.LightningModule], Any] | None = None,
        on_error: str = "warn",
        **adapter_options: Unpack[AdapterOptions],
    ):
        check_adapter_options(adapter_options, "RecorderCallback", OWN_PARAMETERS)
        options = {"ranges": ranges, "keep_weights": keep_weights} | adapter_options
        self._epochs = EpochRecorder(
            estimator, every, time_budget, path, module, on_error, _part_of, torch.nn.Module, **options
        )

    @property
    def recorder(self) -> Recorder:
        """The recorder, with the trajectory so far.

        Returns
        -------
        Recorder
            Its `trajectory_` has one record for each epoch that was measured, and `report_` the last of them.
        """
        return self._epochs.recorder

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Open the file; refuse a strategy that leaves no process the whole module.

        Parameters
        ----------
        trainer : lightning.pytorch.Trainer
            That trains.
        pl_module : lightning.pytorch.LightningModule
            That is trained.
        stage : str
            "fit", or what is done instead: then nothing is.

        Raises
        ------
        ValueError
            For such a strategy; or a file at `path` that holds no trajectory, or one that was recorded with other
            settings.
        Busy
            Where another recorder has the file.
        OSError
            Where the file cannot be read or written.
        """
        if stage != "fit":
            return
        if _spreads_weights(trainer):
            raise ValueError(
                f"RecorderCallback measures in one process, and {type(trainer.strategy).__name__} leaves each of the "
                f"{trainer.world_size} a part of the weights. Train with strategy='ddp', or without the callback, and "
                "measure weights that were saved."
            )
        if trainer.is_global_zero:
            # A run with `fast_dev_run` leaves nothing behind, so that the training proper finds no epoch done.
            self._epochs.begin(is_trial=bool(trainer.fast_dev_run))  # type: ignore[attr-defined]

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Refuse a module that cannot be measured.

        Here, since `setup` and `configure_model` of the module, which may build it, are called after `setup` of
        callbacks; its weights are those of the checkpoint that is resumed, and no batch has been seen, not even by
        the sanity check of the validation.

        Parameters
        ----------
        trainer : lightning.pytorch.Trainer
            That trains.
        pl_module : lightning.pytorch.LightningModule
            That is trained.

        Raises
        ------
        TypeError, ValueError
            For a module, or a part of it, that cannot be measured, or that has other layers than the trajectory that
            is continued.
        """
        # In all processes, so that none waits for one that was refused.
        if _is_complete(pl_module):
            self._epochs.check(pl_module)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Measure, if the epoch's turn has come, and log what was measured.

        Parameters
        ----------
        trainer : lightning.pytorch.Trainer
            Its `current_epoch` is the step, and its `callback_metrics` are what the trajectory keeps.
        pl_module : lightning.pytorch.LightningModule
            That is trained; it logs a number for each measure and layer, in bits, as ``ei/<layer>``.

        Raises
        ------
        TypeError, ValueError, OSError
            With ``on_error="raise"``: for weights that are not finite, metrics that are no numbers, or a record that
            cannot be written. Otherwise these are warned of, once, and the epoch is left out.
        """
        if not trainer.is_global_zero:
            return
        report = self._epochs.record(pl_module, trainer.current_epoch, trainer.callback_metrics)
        if report is not None:
            # Nothing is synchronised where only rank zero logs; that it is asked for keeps Lightning from advising it.
            pl_module.log_dict(log_entries(report), rank_zero_only=True, sync_dist=True)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Close the file; say what was left out.

        Parameters
        ----------
        trainer : lightning.pytorch.Trainer
            That trains.
        pl_module : lightning.pytorch.LightningModule
            That is trained.
        stage : str
            "fit", or what was done instead: then nothing is.

        Raises
        ------
        OSError
            With ``on_error="raise"``, where the file cannot be closed. Otherwise that is warned of.
        """
        if stage == "fit":
            self._epochs.end()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Let others have the file.

        Parameters
        ----------
        trainer : lightning.pytorch.Trainer
            That trains.
        pl_module : lightning.pytorch.LightningModule
            That is trained.
        exception : BaseException
            That ends the training. Where the file cannot be closed, that is added to its notes.
        """
        self._epochs.break_off(exception)

    def state_dict(self) -> dict[str, Any]:
        """The trajectory, as Lightning puts it into a checkpoint.

        Returns
        -------
        dict
            ``{"trajectory": ...}``, what `Trajectory.to_dict` gives: plain values, figures in bits as lists
            (n_steps, n_layers).
        """
        return {"trajectory": self.recorder.trajectory_.to_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the trajectory of a checkpoint, or with that of the file where it is longer.

        Parameters
        ----------
        state_dict : dict
            What `state_dict` gave.

        Raises
        ------
        ValueError
            For a trajectory that was recorded with other settings, or is damaged.
        """
        longest = max(self.recorder.trajectory_, Trajectory.from_dict(state_dict["trajectory"]), key=len)
        if len(longest):
            self.recorder.resume(longest, "The trajectory of the checkpoint")
        # The epochs that follow are those of the checkpoint, measured before or not.
        self._epochs.forget()


def _spreads_weights(trainer: pl.Trainer) -> bool:
    """Whether several processes hold a part of the weights each."""
    strategy = trainer.strategy
    if isinstance(strategy, DeepSpeedStrategy):
        return trainer.world_size > 1 and strategy.zero_stage_3
    return trainer.world_size > 1 and isinstance(strategy, (FSDPStrategy, ModelParallelStrategy))


def _is_complete(module: pl.LightningModule) -> bool:
    """Whether all of the module is there before its first batch."""
    return not any(torch.nn.parameter.is_lazy(one) for one in module.parameters())


def _part_of(module: pl.LightningModule, path: str | None) -> torch.nn.Module:
    """The part of a module that a path leads to; without one what can be run and learns."""
    if path is not None:
        part: torch.nn.Module = named_part(module, path, torch.nn.Module)
        return part
    if _runs(module):
        return _uncompiled(module)
    # A loss or a metric can be run as well, and has nothing to learn.
    parts = {
        name: child
        for name, child in module.named_children()
        if _runs(child) and next(child.parameters(), None) is not None
    }
    if len(parts) == 1:
        return next(iter(parts.values()))
    found = f"it has {', '.join(parts)}" if parts else "none of its parts has parameters and a forward"
    example = next(iter(parts), "net")
    raise ValueError(
        f"The {type(module).__name__} has no forward, so that RecorderCallback has to be told what to measure; "
        f"{found}. Name a part, module={example!r}, or give a callable that returns one."
    )


def _runs(module: torch.nn.Module) -> bool:
    """Whether a module, compiled or not, has a forward of its own."""
    inner: torch.nn.Module = getattr(module, "_orig_mod", module)
    return type(inner).forward not in (torch.nn.Module.forward, pl.LightningModule.forward)


def _uncompiled(module: pl.LightningModule) -> pl.LightningModule:
    """The module with the forward of its class."""
    if "forward" not in vars(module):
        return module
    # The one that `torch.compile` has put into it runs the weights of the module, even in a copy.
    beside = copy.copy(module)
    del vars(beside)["forward"]
    return beside
