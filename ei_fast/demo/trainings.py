"""Which networks are trained on what, how long, and how they are recorded."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

from ei_fast.demo.data import Split, hard_to_learn, iris, mnist
from ei_fast.demo.trainer import DenseNetwork
from ei_fast.estimator import EffectiveInformation
from ei_fast.training.columns import MEASURES
from ei_fast.training.recorder import Recorder
from ei_fast.training.remeasure import remeasured
from ei_fast.training.trajectory import Trajectory

FLIPPED = 0.2
"""Share of training rows whose label is wrong, where a network is to overfit."""

COUNTED_SAMPLES = (100_000, 1_000_000)
"""Samples that are counted at every record, and at the last one, as published."""


@dataclass(frozen=True)
class Training:
    """A network, its data, and how long it trains.

    Attributes
    ----------
    name : str
        In names of files.
    data : callable
        From a seed to a `Split`.
    widths : tuple of int
        Numbers of neurons from the inputs to the outputs.
    batch : int
        Rows a step.
    rate : float
        Of plain SGD.
    epochs, every : int
        Epochs, and how many lie between records.
    n_seeds : int
        Trainings with different seeds, from which the page takes its verdicts.
    hidden : str
        Activation of the hidden layers; the outputs are sigmoids.
    n_rows : int, optional
        Training rows, a share of `FLIPPED` of them with a wrong label; all of them, and right, where not given.
    counted_samples : (int, int)
        Samples of the published counting at every record, and at the last one.
    """

    name: str
    data: Callable[[int], Split]
    widths: tuple[int, ...]
    batch: int
    rate: float
    epochs: int
    every: int
    n_seeds: int = 10
    hidden: str = "sigmoid"
    n_rows: int | None = None
    counted_samples: tuple[int, int] = COUNTED_SAMPLES

    @property
    def is_of_videos(self) -> bool:
        """Whether it is one of the two networks that the first videos of the causal plane showed."""
        return self.name.split("-overfit")[0] in ("iris", "mnist")

    @property
    def settings(self) -> dict[str, Any]:
        """All that decides about a run, but its seed, as plain values."""
        return asdict(self) | {"data": self.data.__name__}

    @property
    def title(self) -> str:
        """For people."""
        data = "MNIST, digits 0–4 at 5×5 pixels" if self.data is mnist else "Iris"
        return f"{'→'.join(map(str, self.widths))}, {self.hidden}, on {data}: {self.condition}"

    @property
    def condition(self) -> str:
        """On which rows it trains."""
        return "all rows" if self.n_rows is None else f"{self.n_rows} rows, {FLIPPED:.0%} of their labels wrong"

    def split(self, seed: int) -> Split:
        """Its rows."""
        split = self.data(seed)
        return split if self.n_rows is None else hard_to_learn(split, self.n_rows, FLIPPED, seed)


def _both(clean: Training, n_rows: int, rate: float, batch: int = 10, epochs: int = 4000) -> tuple[Training, Training]:
    """A training on all rows as they are, and one that overfits, in smaller batches and larger steps."""
    few = replace(clean, name=f"{clean.name}-overfit", n_rows=n_rows, batch=batch, rate=rate, epochs=epochs)
    return clean, replace(few, every=epochs // (clean.epochs // clean.every))


_IRIS = Training("iris", iris, (4, 5, 5, 3), batch=10, rate=0.01, epochs=4000, every=40)
_MNIST = Training("mnist", mnist, (25, 6, 6, 6, 5), batch=50, rate=0.01, epochs=500, every=5)
_SHALLOW = replace(_MNIST, name="mnist-shallow", widths=(25, 6, 5), n_seeds=3)
# Sigmoids without bias, six layers of them: with smaller steps nothing is learnt.
_DEEP = replace(_MNIST, name="mnist-deep", widths=(25, 6, 6, 6, 6, 6, 5), n_seeds=3, batch=20, rate=0.3)
_TANH = replace(_MNIST, name="mnist-tanh", hidden="tanh", n_seeds=3)
_RELU = replace(_MNIST, name="mnist-relu", hidden="relu", n_seeds=3)

TRAININGS: tuple[Training, ...] = (
    *_both(_IRIS, 60, rate=0.05, epochs=8000),
    *_both(_MNIST, 100, rate=0.1),
    *_both(_SHALLOW, 100, rate=0.1),
    *_both(_DEEP, 100, rate=0.5, batch=20, epochs=8000),
    *_both(_TANH, 100, rate=0.02),
    *_both(_RELU, 100, rate=0.02),
)
"""The two networks of the first videos and others of the paper, on all rows and on few."""


def shortened(training: Training) -> Training:
    """The same with fewer records and seeds, and a training half as long, to see what a page looks like."""
    epochs = training.epochs // 2
    return replace(training, epochs=epochs, every=max(1, epochs // 25), n_seeds=3)


def records(training: Training, seed: int) -> Iterator[tuple[int, DenseNetwork, dict[str, float]]]:
    """Train, and yield the epoch, the network and its metrics wherever it is to be recorded."""
    data, network = training.split(seed), DenseNetwork(training.widths, seed, training.hidden)
    for epoch in range(training.epochs + 1):
        if epoch:
            network.train_epoch(data.train_inputs, data.train_targets, training.batch, training.rate)
        if epoch % training.every == 0 or epoch == training.epochs:
            metrics = {
                "training_loss": network.loss(data.train_inputs, data.train_targets),
                "validation_loss": network.loss(data.validation_inputs, data.validation_targets),
                "validation_accuracy": network.accuracy(data.validation_inputs, data.validation_targets),
            }
            yield epoch, network, metrics


def recorded(training: Training, seed: int, **params: Any) -> Trajectory:
    """The trajectory of a training, with the weights of every record; `params` are of `EffectiveInformation`."""
    recorder = Recorder(EffectiveInformation(random_state=seed, **params), keep_weights=True)
    for epoch, network, metrics in records(training, seed):
        recorder.record(network.layers, step=epoch, **metrics)
    return recorder.trajectory_


def counted(trajectory: Trajectory, n_samples: tuple[int, int] = COUNTED_SAMPLES, **params: Any) -> Trajectory:
    """The same training with EI as it was published: counts of joint states of 10⁵ samples, of 10⁶ at the last record.

    Parameters
    ----------
    trajectory : Trajectory
        With the weights of every record.
    n_samples : (int, int)
        Samples at every record, and at the last one.
    **params
        Of `EffectiveInformation`, that change no figure.

    Returns
    -------
    Trajectory
        Without weights. Sensitivity and EI_parts are those of `trajectory`, which are exact where its are.
    """
    how = {"joint": "plugin", "pairwise": "none", "entropy": "plugin", "n_samples": n_samples[0]} | params
    at_last = {"n_samples": n_samples[1]}
    by_counting = Trajectory(**remeasured(trajectory.contents, trajectory.ranges or None, how, at_last))
    measures = {name: getattr(by_counting, name) for name in MEASURES}
    for name in ("sensitivity", "sensitivity_stderr", "ei_parts", "ei_parts_stderr"):
        measures[name] = getattr(trajectory, name)
    measures["degeneracy"] = measures["sensitivity"] - measures["ei"]
    measures["phi_ff"] = measures["ei"] - measures["ei_parts"]
    return Trajectory(
        trajectory.steps,
        trajectory.layers,
        measures,
        trajectory.metrics,
        by_counting.provenance | {"n_samples_at_last": n_samples[1]},
        flags=by_counting.flags,
        layer_ranges=trajectory.layer_ranges,
    )


def widths_said(trajectory: Trajectory) -> str:
    """The widths of a network like 4→5→3, or how many layers it has where they are not known."""
    widths = trajectory.widths
    if widths is None or any(one[1] != other[0] for one, other in pairwise(widths)):
        return f"{len(trajectory.layers)} layers"
    return "→".join(map(str, [widths[0][0], *(n_out for _, n_out in widths)]))
