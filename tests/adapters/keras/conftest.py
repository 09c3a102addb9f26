"""Every model of these tests is drawn anew, and the same."""

import pytest


@pytest.fixture(autouse=True)
def _seeded():
    import keras

    keras.utils.set_random_seed(0)
