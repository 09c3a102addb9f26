"""The parameters of a measurement, checked: once, and before any work."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ei_fast.measures.options import MeasureOptions
from ei_fast.network.bins import Range, Ranges
from ei_fast.parameters.constraints import CONSTRAINTS
from ei_fast.parameters.types import OWNER


@dataclass(frozen=True)
class Settings:
    """Checked parameters of a measurement, in the form that the package works with.

    Attributes
    ----------
    in_bins, out_bins : int
        Numbers of bins of each input and of each output.
    in_range : (float, float), "seen" or None
        Range of the first layer's inputs; None for the network's own; or the ranges seen at all layers' inputs.
    out_range : (float, float) or str
        Range of the outputs of every layer, or the rule by which it is derived.
    drop : bool
        Whether samples with outputs outside the range are left out, or counted in the outermost bins.
    baseline : float
        Value of the other inputs in sensitivity.
    joint : str
        Method for the joint EI.
    pairwise : str
        Method for sensitivity and EI_parts.
    entropy : str
        Estimator of sampled entropies.
    n_samples : int or None
        Number of simulated points; None for as many as `tol` needs.
    tol : float
        Error that is aimed for, in bits.
    effort : float
        Multiplies the ceilings of work.
    n_jobs : int
        Number of threads.
    pairwise_edges : int or None
        Number of edges of a layer that are measured; None for all.
    matrices : str or None
        Folder for files of matrices.
    """

    in_bins: int
    out_bins: int
    in_range: Range | str | None
    out_range: Range | str
    drop: bool
    baseline: float
    joint: str
    pairwise: str
    entropy: str
    n_samples: int | None
    tol: float
    effort: float
    n_jobs: int
    pairwise_edges: int | None
    matrices: str | None

    @property
    def range_of_model(self) -> Range | None:
        """The range over which a model is read; None for its own."""
        return None if isinstance(self.in_range, str) else self.in_range

    @property
    def options(self) -> MeasureOptions:
        """The parameters that measures depend on beside bins and ranges."""
        return MeasureOptions(
            joint=self.joint,
            pairwise=self.pairwise,
            entropy=self.entropy,
            tol=self.tol,
            n_samples=self.n_samples,
            effort=self.effort,
            pairwise_edges=self.pairwise_edges,
            matrices=self.matrices,
        )

    @classmethod
    def checked(cls, parameters: Mapping[str, Any]) -> "Settings":
        """Check the parameters of `EffectiveInformation`.

        Parameters
        ----------
        parameters : mapping of str to Any
            All parameters of the estimator by name.

        Returns
        -------
        Settings
            The checked parameters.

        Raises
        ------
        TypeError, ValueError
            The message names the parameter, the rule and the value.
        """
        values = {name: constraint.checked(name, parameters[name]) for name, constraint in CONSTRAINTS.items()}
        values["in_bins"], values["out_bins"] = values.pop("bins")
        values["drop"] = values.pop("out_of_range") == "drop"
        del values["verbose"]
        return cls(**values)


def check_no_files(settings: Settings, owner: str) -> None:
    """Raise ValueError where matrices are to be kept in files by what measures a layer more than once."""
    if settings.matrices is not None:
        raise ValueError(
            f"The 'matrices' parameter of {OWNER} must be None in {owner}, whose measurements would all write the same "
            f"files. Got {settings.matrices!r} instead. Measure one model at a time."
        )


@dataclass(frozen=True)
class RangesAndSeed:
    """The layers' ranges and the seed, which measurements that are compared have in common.

    Attributes
    ----------
    ranges : tuple of (range, range)
        Input and output range of every layer.
    seed : int
        Seed of all random streams.
    convention : str
        Which records of a training the ranges are those of: "each", "first" or "all"; "" outside a training.
    """

    ranges: tuple[tuple[Ranges, Ranges], ...]
    seed: int
    convention: str = ""
