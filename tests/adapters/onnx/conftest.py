"""Every model of these tests is drawn anew, and the same."""

import keras
import pytest
import torch


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)
    keras.utils.set_random_seed(0)
