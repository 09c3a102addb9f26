"""Record a net of skorch as it trains."""

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Unpack

from ei_fast.errors import missing_extra

try:
    import skorch.callbacks
    import torch
except ImportError as error:
    raise missing_extra("ei_fast.callbacks.skorch", "skorch", "skorch") from error

from ei_fast.adapters import as_network
from ei_fast.callbacks.epochs import OWN_PARAMETERS, EpochRecorder, named_part
from ei_fast.estimator import EffectiveInformation
from ei_fast.parameters import AdapterOptions, check_adapter_options, shows_keywords
from ei_fast.training.recorder import Recorder

if TYPE_CHECKING:

    class Callback:
        """What is used here of skorch's class, which has no types."""

else:
    Callback = skorch.callbacks.Callback

_NO_METRICS = ("epoch", "dur")


class RecorderCallback(Callback):
    """Measures the module at the end of epochs; give it to ``NeuralNetClassifier(..., callbacks=[...])``.

    What the net has written into its history during an epoch, as ``train_loss``, ``valid_loss`` and ``valid_acc``, is
    kept in the trajectory. Epochs count from 0, and go on counting over several calls of `fit` and `partial_fit`.

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
        The part of the net's module that is measured: the path of an attribute ("encoder.head"), or what is called on
        the module and returns the part. By default the module itself.
    on_error : "warn" or "raise", default "warn"
        An epoch that cannot be recorded, because weights are no longer finite or a disk is full, is left out with one
        warning, and training goes on; or ends the training.
    order, prefix, layout, norm_place, norm_eps, chain, layers : optional
        How a dict or file of weights is read: see `as_network`.
    blocks, heads, verify, input_shape, example_inputs, unroll, names : optional
        How the module is read: see `as_network`.

    Attributes
    ----------
    recorder : Recorder
        With `trajectory_` and `report_`. A search copies its net, and records nothing here: see ``net.callbacks_`` of
        its `best_estimator_`.

    Raises
    ------
    TypeError, ValueError
        For parameters that are not allowed; and by `fit`, before the first epoch, for a module that cannot be measured.

    Examples
    --------
    >>> import ei_fast as ef
    >>> import torch
    >>> from skorch import NeuralNetRegressor
    >>> callback = RecorderCallback(ef.EffectiveInformation(random_state=0))
    >>> net = NeuralNetRegressor(torch.nn.Linear(2, 2), max_epochs=3, train_split=None, callbacks=[callback], verbose=0)
    >>> _ = net.fit(torch.eye(2), torch.eye(2))
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
        module: str | Callable[[torch.nn.Module], Any] | None = None,
        on_error: str = "warn",
        **adapter_options: Unpack[AdapterOptions],
    ):
        check_adapter_options(adapter_options, "RecorderCallback", OWN_PARAMETERS)
        # scikit-learn copies a net by the parameters of its callbacks, which are their attributes.
        self.estimator, self.every, self.time_budget, self.path = estimator, every, time_budget, path
        self.ranges, self.keep_weights, self.module, self.on_error = ranges, keep_weights, module, on_error
        for name, value in adapter_options.items():
            setattr(self, name, value)
        self._names = (*OWN_PARAMETERS, *adapter_options)
        self._made_of: dict[str, Any] = {}
        self.initialize()

    def _get_param_names(self) -> list[str]:
        return list(self._names)

    @property
    def recorder(self) -> Recorder:
        """The recorder, with the trajectory so far."""
        return self._epochs.recorder

    def initialize(self) -> "RecorderCallback":
        """Begin anew, where parameters have been set to something else.

        Returns
        -------
        RecorderCallback
            The callback itself.
        """
        given = {name: getattr(self, name) for name in self._names}
        if given.keys() != self._made_of.keys() or any(self._made_of[name] is not given[name] for name in given):
            self._epochs = EpochRecorder(**given, part_of=_part_of, part_type=torch.nn.Module)
            self._made_of = given
        return self

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Open the file; refuse a module that cannot be measured.

        Parameters
        ----------
        net : skorch.NeuralNet
            That trains; its `module_` is measured.
        X, y : array or dataset, optional
            What it trains on; not looked at.
        **kwargs
            What else the net tells; not looked at.

        Raises
        ------
        TypeError, ValueError
            For a module, or a part of it, that cannot be measured, or that has other layers than the trajectory that
            is continued.
        """
        self._epochs.begin()
        self._epochs.check(net.module_)

    def on_epoch_end(self, net: Any, dataset_train: Any = None, dataset_valid: Any = None, **kwargs: Any) -> None:
        """Measure, if the epoch's turn has come.

        Parameters
        ----------
        net : skorch.NeuralNet
            That trains; its `module_` is measured.
        dataset_train, dataset_valid : dataset, optional
            What it trains and validates on; not looked at.
        **kwargs
            What else the net tells; not looked at.
        """
        entry = net.history[-1]
        self._epochs.record(net.module_, int(entry["epoch"]) - 1, _metrics_in(entry))

    def on_train_end(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Close the file; say what was left out.

        Parameters
        ----------
        net : skorch.NeuralNet
            That trains; its `module_` is measured.
        X, y : array or dataset, optional
            What it trains on; not looked at.
        **kwargs
            What else the net tells; not looked at.
        """
        self._epochs.end()


def _metrics_in(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What an entry of a net's history says of the module: no counts, no times and no marks of the best epoch."""
    return {
        name: value
        for name, value in entry.items()
        if isinstance(value, float) and name not in _NO_METRICS and not name.endswith("_best")
    }


def _part_of(module: torch.nn.Module, path: str | None) -> torch.nn.Module:
    """The part of a module that a path leads to; without one the module itself."""
    return module if path is None else named_part(module, path, torch.nn.Module)
