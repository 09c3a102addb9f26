"""Seeds of several measurements that are made of one."""

from enum import IntEnum

import numpy as np

from ei_fast.intervention.streams import resolve_seed


class Purpose(IntEnum):
    """What further seeds are made for. Figures of a seed depend on the numbers: they never change."""

    REPEATS = 101
    """Measurements of both networks of a comparison."""
    NULLS = 102
    """Measurements of networks that are drawn by chance."""
    WEIGHTS = 103
    """The weights of these networks."""
    ORDERS = 104
    """Orders in which edges or neurons are left out."""


def seed_for(seed: int, purpose: Purpose, *place: int) -> int:
    """The seed of one of several measurements, which depends on its place and not on how many there are."""
    return resolve_seed(sequence_for(seed, purpose, *place), "seed_for")


def sequence_for(seed: int, purpose: Purpose, *place: int) -> np.random.SeedSequence:
    """The same as NumPy has it, for what is drawn at once."""
    return np.random.SeedSequence(seed, spawn_key=(int(purpose), *place))
