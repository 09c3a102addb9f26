"""What a checkpoint is."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Checkpoint:
    """One file of weights.

    Attributes
    ----------
    run : str
        The training it belongs to: its folder, and what its name says of it where a folder holds several; "" where
        there is one.
    step : int
    path : str
        Below the folder of the checkpoints, with slashes.
    metrics : dict of str to float
        Losses and the like.
    """

    run: str
    step: int
    path: str
    metrics: dict[str, float] = field(default_factory=dict)
