"""Every model of these tests is drawn anew, and the same."""

import pytest


@pytest.fixture(autouse=True)
def _seeded():
    import torch

    torch.manual_seed(0)
