"""Data sets of the demo, split into training and validation rows."""

from dataclasses import dataclass, replace
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Split:
    """Inputs in [0, 1], (rows, n_in), and one-hot targets, (rows, n_classes)."""

    train_inputs: Array
    train_targets: Array
    validation_inputs: Array
    validation_targets: Array


def iris(seed: int) -> Split:
    """Fisher's Iris: 100 training and 50 validation rows, inputs / 8."""
    from sklearn.datasets import load_iris

    inputs, labels = load_iris(return_X_y=True)
    return _split(inputs / 8.0, labels, 100, seed)


def mnist(seed: int) -> Split:
    """The digits 0-4 of the reduced MNIST at 5x5 pixels: 4,000 training images, 1,131 for validation."""
    with (files("ei_fast.demo") / "mnist_small.npz").open("rb") as file, np.load(file, allow_pickle=False) as archive:
        images, labels = archive["images_5x5"], archive["labels"]
    chosen = labels <= 4
    return _split(images[chosen].reshape(-1, 25) / 255.0, labels[chosen], 4000, seed)


def hard_to_learn(split: Split, n_rows: int, flipped: float, seed: int) -> Split:
    """Few training rows, a share of them with a wrong label, which a network can only learn by heart.

    Parameters
    ----------
    split : Split
    n_rows : int
        Training rows that are kept, the first.
    flipped : float
        Share of them whose label is another one, at random.
    seed : int

    Returns
    -------
    Split
        The validation rows as they were.
    """
    rng = np.random.default_rng([seed, n_rows])
    labels, n_classes = split.train_targets[:n_rows].argmax(axis=1), split.train_targets.shape[1]
    wrong = rng.choice(n_rows, round(flipped * n_rows), replace=False)
    labels[wrong] = (labels[wrong] + rng.integers(1, n_classes, len(wrong))) % n_classes
    return replace(split, train_inputs=split.train_inputs[:n_rows], train_targets=np.eye(n_classes)[labels])


def _split(inputs: Array, labels: NDArray[np.integer], n_train: int, seed: int) -> Split:
    order = np.random.default_rng(seed).permutation(len(inputs))
    inputs, targets = inputs[order], np.eye(labels.max() + 1)[labels[order]]
    return Split(inputs[:n_train], targets[:n_train], inputs[n_train:], targets[n_train:])
