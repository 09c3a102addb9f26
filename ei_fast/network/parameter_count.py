"""How many parameters a model has, and how many of them are in layers that are measured."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class ParameterCount:
    """Parameters of the model behind a network: numbers that a training learns, each counted once.

    Parameters
    ----------
    total : int
        All of the model's.
    measured : int
        Those in layers that are measured, scales and shifts that were taken into a layer among them; one that a
        measured layer uses as well as others counts as measured.
    embeddings : int
        Those in tables of embeddings that no measured layer uses: a table is looked up, and is no layer.
    others : tuple of (str, int, int)
        Of what else is not measured: its kind, as ``"LayerNorm"``, how many of them there are, and their parameters;
        the largest first.

    Attributes
    ----------
    share : float
        Of all but embeddings, what is measured; 1.0 where there is nothing else.

    Examples
    --------
    >>> import ei_fast as ef
    >>> count = ef.ParameterCount(120, 90, 20, (("LayerNorm", 2, 10),))
    >>> count.share
    0.9
    """

    total: int
    measured: int
    embeddings: int = 0
    others: tuple[tuple[str, int, int], ...] = ()

    @property
    def share(self) -> float:
        """Of all but embeddings, what is measured; 1.0 where there is nothing else."""
        others = self.total - self.embeddings
        return self.measured / others if others else 1.0

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain values.

        Returns
        -------
        dict
            By the names of the parameters.

        Examples
        --------
        >>> import ei_fast as ef
        >>> ef.ParameterCount(10, 10).to_dict()
        {'total': 10, 'measured': 10, 'embeddings': 0, 'others': []}
        """
        return {**asdict(self), "others": [list(one) for one in self.others]}

    @classmethod
    def from_dict(cls, figures: Mapping[str, Any]) -> "ParameterCount":
        """Return what `to_dict` was made of.

        Parameters
        ----------
        figures : dict
            As `to_dict` returns them.

        Returns
        -------
        ParameterCount
            The same figures.

        Examples
        --------
        >>> import ei_fast as ef
        >>> ef.ParameterCount.from_dict({"total": 10, "measured": 5, "embeddings": 0, "others": [["LSTM", 1, 5]]})
        ParameterCount(total=10, measured=5, embeddings=0, others=(('LSTM', 1, 5),))
        """
        others = tuple((str(kind), int(n), int(size)) for kind, n, size in figures["others"])
        return cls(int(figures["total"]), int(figures["measured"]), int(figures["embeddings"]), others)
