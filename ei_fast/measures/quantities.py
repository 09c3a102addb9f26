"""The figures of a layer: one table, which reports, trajectories, frames, pictures and callbacks read.

It imports nothing of the package.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Quantity:
    """A figure of a layer, in bits.

    Attributes
    ----------
    name : str
        Of the attribute of a `LayerReport` and of a `Trajectory`, and of the column in a table.
    title : str
        In a printed table.
    symbol : str
        In a picture.
    ei_sign : int
        How EI enters it: as it is (1), with the other sign (-1), or not at all (0).
    edge_measure : str or None
        The per-edge measure whose sum enters it.
    """

    name: str
    title: str
    symbol: str
    ei_sign: int = 0
    edge_measure: str | None = None

    @property
    def stderr(self) -> str:
        """Name of the attribute that holds its standard error."""
        return f"{self.name}_stderr"


QUANTITIES = (
    Quantity("ei", "EI", "EI", ei_sign=1),
    Quantity("sensitivity", "sensitivity", "sensitivity", edge_measure="sensitivity"),
    Quantity("degeneracy", "degeneracy", "degeneracy", ei_sign=-1, edge_measure="sensitivity"),
    Quantity("ei_parts", "EI_parts", "EI_parts", edge_measure="ei_parts"),
    Quantity("phi_ff", "phi_ff", "φ", ei_sign=1, edge_measure="ei_parts"),
)
"""In the order in which they are listed and drawn."""

BY_NAME = {quantity.name: quantity for quantity in QUANTITIES}

NAMES = tuple(BY_NAME)

EDGE_MEASURES = tuple(dict.fromkeys(q.edge_measure for q in QUANTITIES if q.edge_measure is not None))
"""Names of the per-edge measures; the matrix of each is the attribute ``<name>_matrix`` of a `LayerReport`."""
