"""Record a model as the `Trainer` of transformers trains it."""

import copy
import math
import os
from collections.abc import Callable, Mapping
from types import MethodType
from typing import Any, Unpack

from ei_fast.errors import missing_extra

try:
    import torch
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
except ImportError as error:
    raise missing_extra("ei_fast.callbacks.transformers", "transformers", "transformers") from error

from ei_fast.adapters import as_network
from ei_fast.callbacks.epochs import OWN_PARAMETERS, EpochRecorder, log_entries, named_part
from ei_fast.estimator import EffectiveInformation
from ei_fast.parameters import AdapterOptions, check_adapter_options, shows_keywords
from ei_fast.training.recorder import Recorder

_NO_METRICS = ("epoch", "step", "total_flos")
_OF_SPEED = ("_runtime", "_per_second")


class RecorderCallback(TrainerCallback):
    """Measures the model at the end of training epochs; give it to ``Trainer(callbacks=[...])``.

    Only the first of several processes measures. Every measured epoch has an entry with ``ei/<layer>``,
    ``sensitivity/<layer>``, ``degeneracy/<layer>``, ``ei_parts/<layer>`` and ``phi_ff/<layer>``, in bits, in
    ``trainer.state.log_history``, which checkpoints hold. What the trainer has logged during an epoch, ``loss`` and
    ``eval_loss`` among it, is kept in the trajectory, its last value each; of several evaluation sets, the first.
    Epochs count from 0: they go on counting over several calls of `train`, and where training is resumed from a
    checkpoint, from that.

    Parameters
    ----------
    estimator : EffectiveInformation
        Says what is measured and how.
    every : int, default 1
        Epochs that are multiples of it are measured. An epoch that `max_steps` cuts short is one as well.
    time_budget : float, optional
        Largest part of the training time that measuring may take: see `Recorder`.
    path : str or path, optional
        An ``.npz`` file, opened when training begins, that holds the trajectory after every record. One that exists is
        continued: epochs that it has are not measured again. Where training was broken off by an exception,
        ``callback.recorder.close()`` lets others have it.
    ranges : "each" or "first", default "each"
        Over which ranges outputs of unbounded activations are binned: see `Recorder`.
    keep_weights : bool, default False
        Whether the trajectory keeps the weights of every record: see `Recorder`.
    module : str or callable, optional
        The part of the model that is measured: the path of an attribute ("encoder.layer.0.intermediate"), or what is
        called on the model and returns the part. By default the model itself.
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
        With `trajectory_` and `report_`; in other processes than the first it stays empty.

    Raises
    ------
    TypeError, ValueError
        For parameters that are not allowed; and by `Trainer.train`, before the first step, for a model that cannot be
        measured, or one of which every process holds a part, as with FSDP.

    Examples
    --------
    >>> import ei_fast as ef
    >>> from transformers import Trainer
    >>> callback = RecorderCallback(ef.EffectiveInformation(random_state=0), path="run.npz", module="classifier")
    >>> Trainer(model, arguments, train_dataset=data, callbacks=[callback]).train()  # doctest: +SKIP
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
        module: str | Callable[[torch.nn.Module], Any] | None = None,
        on_error: str = "warn",
        **adapter_options: Unpack[AdapterOptions],
    ):
        check_adapter_options(adapter_options, "RecorderCallback", OWN_PARAMETERS)
        options = {"ranges": ranges, "keep_weights": keep_weights} | adapter_options
        self._epochs = EpochRecorder(
            estimator, every, time_budget, path, module, on_error, _part_of, torch.nn.Module, **options
        )
        # What was logged during an epoch, and the number of one that has ended and is not recorded yet.
        self._logged: dict[str, Any] = {}
        self._ended: int | None = None

    @property
    def recorder(self) -> Recorder:
        """The recorder, with the trajectory so far."""
        return self._epochs.recorder

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Open the file; refuse a model that cannot be measured.

        Parameters
        ----------
        args : transformers.TrainingArguments
            Of the trainer.
        state : transformers.TrainerState
            Where the training is.
        control : transformers.TrainerControl
            What the trainer does next; left as it is.
        **kwargs
            What else the trainer tells; its `model` is measured.

        Raises
        ------
        TypeError, ValueError
            For a model, or a part of it, that cannot be measured, of which every process holds a part, or that has
            other layers than the trajectory that is continued.
        """
        self._logged, self._ended = {}, None
        if _spreads_weights(args, kwargs["model"]):
            raise ValueError(
                "RecorderCallback measures in one process, and FSDP or ZeRO-3 leaves each of the "
                f"{args.world_size} a part of the weights. Train without them, or without the callback, and measure "
                "weights that were saved."
            )
        if state.is_world_process_zero:
            self._epochs.begin()
            trajectory = self.recorder.trajectory_
            if state.global_step and len(trajectory):
                # Epochs that it has are passed over, though the checkpoint is of an earlier one.
                self.recorder.resume(trajectory, "The trajectory of the callback")
            if state.global_step:
                self._epochs.forget()
        # In all processes, so that none waits for one that was refused.
        self._epochs.check(kwargs["model"])

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Begin to gather what is logged.

        Parameters
        ----------
        args : transformers.TrainingArguments
            Of the trainer.
        state : transformers.TrainerState
            Where the training is.
        control : transformers.TrainerControl
            What the trainer does next; left as it is.
        **kwargs
            What else the trainer tells; its `model` is measured.
        """
        self._record(state, kwargs["model"])
        self._logged = {}

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Keep what is logged; the loss of an epoch is, once it has ended.

        Parameters
        ----------
        args : transformers.TrainingArguments
            Of the trainer.
        state : transformers.TrainerState
            Where the training is.
        control : transformers.TrainerControl
            What the trainer does next; left as it is.
        logs : mapping of str to number, optional
            Metrics by name.
        **kwargs
            What else the trainer tells; its `model` is measured.
        """
        kept = {name: value for name, value in (logs or {}).items() if _is_metric(name, value)}
        self._logged |= kept
        if not control.should_evaluate:
            self._record(state, kwargs["model"])

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Measure, if an epoch was evaluated whose turn has come.

        Parameters
        ----------
        args : transformers.TrainingArguments
            Of the trainer.
        state : transformers.TrainerState
            Where the training is.
        control : transformers.TrainerControl
            What the trainer does next; left as it is.
        **kwargs
            What else the trainer tells; its `model` is measured.
        """
        self._record(state, kwargs["model"])

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Measure, if the epoch's turn has come, as soon as its losses are known.

        Parameters
        ----------
        args : transformers.TrainingArguments
            Of the trainer.
        state : transformers.TrainerState
            Where the training is.
        control : transformers.TrainerControl
            What the trainer does next; left as it is.
        **kwargs
            What else the trainer tells; its `model` is measured.
        """
        if not state.is_world_process_zero:
            return
        # The share of an epoch that is done is part of `epoch`; an epoch is over at a whole number, to rounding.
        self._ended = max(math.ceil((state.epoch or 0.0) - 1e-9) - 1, 0)
        was_logged = any("loss" in entry and entry.get("step") == state.global_step for entry in state.log_history)
        if not control.should_evaluate and (was_logged or not control.should_log):
            self._record(state, kwargs["model"])

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Measure what has not been measured yet.

        Parameters
        ----------
        args : transformers.TrainingArguments
            Of the trainer.
        state : transformers.TrainerState
            Where the training is.
        control : transformers.TrainerControl
            What the trainer does next; left as it is.
        **kwargs
            What else the trainer tells; its `model` is measured.
        """
        self._record(state, kwargs["model"])

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Close the file; say what was left out.

        Parameters
        ----------
        args : transformers.TrainingArguments
            Of the trainer.
        state : transformers.TrainerState
            Where the training is.
        control : transformers.TrainerControl
            What the trainer does next; left as it is.
        **kwargs
            What else the trainer tells; its `model` is measured.
        """
        if state.is_world_process_zero:
            self._record(state, kwargs["model"])
            self._epochs.end()

    def _record(self, state: TrainerState, model: torch.nn.Module) -> None:
        """Record the epoch that has ended, if there is one."""
        epoch, self._ended = self._ended, None
        if epoch is None:
            return
        report = self._epochs.record(model, epoch, self._logged)
        if report is not None:
            state.log_history.append({"epoch": state.epoch, "step": state.global_step, **log_entries(report)})


def _is_metric(name: str, value: Any) -> bool:
    """Whether an entry of the trainer's logs is a measure of the model, and none of the time that it took."""
    return name not in _NO_METRICS and not name.endswith(_OF_SPEED) and not isinstance(value, (str, type(None)))


def _spreads_weights(args: TrainingArguments, model: torch.nn.Module) -> bool:
    """Whether several processes hold a part of the weights each."""
    if args.world_size == 1:
        return False
    parts = any(hasattr(one, "ds_id") or type(one).__name__ == "DTensor" for one in model.parameters())
    return parts or bool(args.fsdp)


def _part_of(model: torch.nn.Module, path: str | None) -> torch.nn.Module:
    """The part of a model that a path leads to; without one the model, with the forward of its class."""
    return _as_written(model) if path is None else named_part(model, path, torch.nn.Module)


def _as_written(model: torch.nn.Module) -> torch.nn.Module:
    """The model with the forward that it had before accelerate has put that of mixed precision around it."""
    original = vars(model).get("_original_forward")
    if original is None:
        return model
    beside = copy.copy(model)
    own = getattr(original, "__func__", original)
    if own is type(model).forward:
        del vars(beside)["forward"]
    else:
        vars(beside)["forward"] = MethodType(own, beside)
    return beside
