"""Every model of these tests is drawn anew, and the same."""

import pytest


@pytest.fixture(autouse=True)
def _seeded():
    import keras
    import torch

    torch.manual_seed(0)
    keras.utils.set_random_seed(0)
