"""Record a Keras model as it trains."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Unpack

from ei_fast.errors import missing_extra

try:
    import keras
except ImportError as error:
    raise missing_extra("ei_fast.callbacks.keras", "Keras 3", "keras") from error

from ei_fast.adapters import as_network
from ei_fast.callbacks.epochs import OWN_PARAMETERS, EpochRecorder, attribute_at, log_entries
from ei_fast.estimator import EffectiveInformation
from ei_fast.parameters import AdapterOptions, check_adapter_options, shows_keywords
from ei_fast.training.recorder import Recorder

if TYPE_CHECKING:

    class Callback:
        """What is used here of Keras' class, which has no types."""

        model: Any

else:
    Callback = keras.callbacks.Callback


class RecorderCallback(Callback):
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
    ranges : "each" or "first", default "each"
        Over which ranges outputs of unbounded activations are binned: see `Recorder`.
    keep_weights : bool, default False
        Whether the trajectory keeps the weights of every record: see `Recorder`.
    module : str or callable, optional
        The part of the model that is measured: the name or path of a layer, the path of an attribute ("encoder.head"),
        or what is called on the model and returns the part. By default the model itself.
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
        With `trajectory_` and `report_`.

    Raises
    ------
    TypeError, ValueError
        For parameters that are not allowed; and by `fit`, before the first epoch, for a model that cannot be measured.

    Examples
    --------
    >>> import keras
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, "tanh")])
    >>> model.compile("sgd", "mse")
    >>> callback = RecorderCallback(ef.EffectiveInformation(random_state=0))
    >>> _ = model.fit(np.eye(2), np.eye(2), epochs=3, verbose=0, callbacks=[callback])
    >>> callback.recorder.trajectory_.steps
    array([0, 1, 2])
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
        module: str | Callable[[keras.Model], Any] | None = None,
        on_error: str = "warn",
        **adapter_options: Unpack[AdapterOptions],
    ):
        super().__init__()
        check_adapter_options(adapter_options, "RecorderCallback", OWN_PARAMETERS)
        options = {"ranges": ranges, "keep_weights": keep_weights} | adapter_options
        self._epochs = EpochRecorder(
            estimator, every, time_budget, path, module, on_error, _part_of, keras.Layer, **options
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

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Open the file; refuse a model that cannot be measured.

        Keras calls it at the beginning of `fit`. A model that is built by its first batch is met at the first record.

        Parameters
        ----------
        logs : dict, optional
            Keras gives none here; not read.

        Raises
        ------
        TypeError, ValueError
            For a model, or a `module` of it, that cannot be measured; or a file at `path` that holds no trajectory, or
            one that was recorded with other settings or layers.
        Busy
            Where another recorder has the file.
        OSError
            Where the file cannot be read or written.
        """
        self._epochs.begin()
        if self.model.built:
            self._epochs.check(self.model)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Measure, if the epoch's turn has come.

        Parameters
        ----------
        epoch : int
            As `fit` counts it, from 0. After an earlier `fit` of the same callback it counts on.
        logs : dict of str to float, optional
            The losses and metrics of the epoch, which the trajectory keeps; what was measured is added, in bits: a
            number for each measure and layer, as ``ei/<layer>``.

        Raises
        ------
        TypeError, ValueError, OSError
            With ``on_error="raise"``: for weights that are not finite, metrics that are no numbers, or a record that
            cannot be written. Otherwise these are warned of, once, and the epoch is left out.
        """
        logs = {} if logs is None else logs
        # The trainer of the JAX backend holds the weights itself until it is asked for them.
        if hasattr(self.model, "jax_state_sync"):
            self.model.jax_state_sync()
        report = self._epochs.record(self.model, epoch, logs)
        if report is not None:
            logs.update(log_entries(report))

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Close the file; say what was left out.

        Parameters
        ----------
        logs : dict, optional
            Those of the last epoch; not read.

        Raises
        ------
        OSError
            With ``on_error="raise"``, where the file cannot be closed. Otherwise that is warned of.
        """
        self._epochs.end()


def _part_of(model: keras.Model, module: str | None) -> Any:
    """The part of a model that a name or path leads to."""
    if module is None:
        return model
    layers = [
        layer for layer in model._flatten_layers(include_self=False) if not isinstance(layer, keras.layers.InputLayer)
    ]
    found = [layer for layer in layers if module in (layer.path, layer.name)]
    part = found[0] if len(found) == 1 else attribute_at(model, module)
    if isinstance(part, keras.Layer):
        return part
    many = f", which {len(found)} layers are called" if len(found) > 1 else ""
    raise ValueError(
        f"The 'module' parameter of RecorderCallback must name a layer, or an attribute that holds one. Got {module!r}"
        f"{many}; the model {model.name!r} has {', '.join(layer.name for layer in layers)}."
    )
