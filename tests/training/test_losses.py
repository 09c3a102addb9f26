"""Which metrics are losses, and of which rows."""

import numpy as np
import pytest

from ei_fast.training.columns import MEASURES
from ei_fast.training.losses import least_validation_loss, split_metrics, training_loss, validation_loss
from ei_fast.training.trajectory import Trajectory


def with_metrics(*names):
    """A trajectory whose metrics have the values 0, 1, 2, ... in their order."""
    measures = dict.fromkeys(MEASURES, np.zeros((3, 1)))
    return Trajectory(range(3), ["fc"], measures, {name: np.full(3, float(k)) for k, name in enumerate(names)})


@pytest.mark.parametrize(
    "name",
    ["val_loss", "valLoss", "lossVal", "Loss/val", "validation_loss", "test_loss", "eval/loss", "dev-loss", "VAL_LOSS"],
)
def test_losses_of_rows_that_are_held_back(name):
    trajectory = with_metrics("loss", name)
    assert training_loss(trajectory)[0] == 0.0
    assert validation_loss(trajectory)[0] == 1.0
    assert least_validation_loss(trajectory)[0] == name


@pytest.mark.parametrize("name", ["loss", "train_loss", "trainLoss", "value_loss", "device_loss", "evaluator_loss"])
def test_losses_of_rows_that_are_learnt_from(name):
    trajectory = with_metrics(name)
    assert training_loss(trajectory)[0] == 0.0
    assert validation_loss(trajectory) is None


def test_of_several_losses_the_whole_is_meant():
    assert training_loss(with_metrics("value_loss", "policy_loss", "loss"))[0] == 2.0
    assert training_loss(with_metrics("aux_loss", "train/loss"))[0] == 1.0
    assert training_loss(with_metrics("first_loss", "second_loss"))[0] == 0.0


def test_a_loss_without_a_value_is_none():
    trajectory = with_metrics("loss", "val_loss")
    trajectory.metrics["val_loss"][:] = np.nan
    assert validation_loss(trajectory) is None
    assert list(split_metrics(trajectory)[0]) == ["loss", "val_loss"]
