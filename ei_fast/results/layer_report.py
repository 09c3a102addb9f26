"""What was measured of one layer: a `LayerReport`."""

from dataclasses import dataclass, field, fields
from typing import Any

from ei_fast.measures.edges.estimate import Matrix
from ei_fast.measures.joint.auto import METHODS
from ei_fast.network.bins import Ranges
from ei_fast.results.flags import explanation_of
from ei_fast.results.notebook import layer_in_html
from ei_fast.results.tables import shape_of

ENDS = {
    "ei_low": ("ei_interval", 0),
    "ei_high": ("ei_interval", 1),
    "ei_bounds_low": ("ei_bounds", 0),
    "ei_bounds_high": ("ei_bounds", 1),
}
"""Names, in trajectories and tables, of the ends of pairs of a `LayerReport`: the pair, and which end of it."""


@dataclass(frozen=True, eq=False)
class LayerReport:
    """Measures of one layer, in bits.

    Parameters
    ----------
    name : str
        Name of the layer in its network.
    n_in, n_out : int
        Numbers of input and output neurons.
    activation : str
        The activation, or ``"function"`` where the layer is a `Function`.
    in_range, out_range : (float, float), or one such pair for each neuron
        Ranges over which inputs and outputs are binned; a pair for each neuron with ``out_range="neuron"``.
    in_bins, out_bins : int
        Numbers of bins of each input and of each output.
    ei, ei_stderr : float
        Effective information I(X; Y) under do(X = H^max), and its standard error; 0.0 where it is exact.
    ei_interval : (float, float)
        95 % interval of EI, which allows for the bias that may be left; lower and upper bound where undersampled.
    sensitivity, sensitivity_stderr : float
        Sum of `sensitivity_matrix`, or its estimate by some edges, and its standard error; NaN where per-edge measures
        were not taken.
    degeneracy, degeneracy_stderr : float
        Sensitivity - EI, and its standard error; NaN where per-edge measures were not taken.
    ei_parts, ei_parts_stderr : float
        Sum of `ei_parts_matrix`, or its estimate by some edges, and its standard error; NaN where per-edge measures
        were not taken.
    phi_ff, phi_ff_stderr : float
        EI - EI_parts, and its standard error; NaN where per-edge measures were not taken.
    sensitivity_matrix : ndarray (n_in, n_out)
        I(X_i; Y_j) with only X_i moving and the other inputs at the baseline; NaN for edges that were not measured.
        In float32 where there are more than 2**22 edges, and a memory map with `matrices` of `EffectiveInformation`.
    ei_parts_matrix : ndarray (n_in, n_out)
        I(X_i; Y_j) with every input uniform and independent; kept in the same way.
    output_entropy, conditional_entropy : float
        H(Y) and H(Y | X) of the binned neurons.
    joint_method : str
        How EI was found: ``"exact"``, ``"conditional"``, ``"gaussian"``, ``"annealed"`` or ``"plugin"``.
    entropy_estimator : str
        Estimator of H(Y) and H(Y | X): ``"exact"``, ``"bounds"`` where undersampled, ``"zhang+unseen"``,
        ``"plugin"``, ``"miller-madow"``, ``"grassberger"``, ``"chao-shen"``, ``"gaussian"`` or ``"annealed"``.
    pairwise_method : str
        How the per-edge measures were found: ``"exact"``, ``"sampled"`` where some edges were measured, exactly,
        ``"histogram"`` or ``"none"``.
    n_samples : int
        Number of simulated points of EI; 0 where it is exact.
    flags : tuple of str
        What to know before trusting the figures; `explain` says what each means.
    patch : tuple of int or None
        Shape (channels, ...) of the patch that the inputs are, where the layer is a convolution: all figures are
        then those of one patch.
    share_outside : float
        Probability that an output lies outside its range, averaged over the outputs; NaN in files of older versions.
    ei_bounds : (float, float)
        Bounds on EI that rest on no model of the layer, each with 97.5 % confidence; the value twice where exact. NaN
        in files of older versions.
    per_position : bool
        Whether the layer stands at many places of a sample, as on each step of a sequence: all figures are then those
        of one of them; False in files of older versions.

    Notes
    -----
    X are the binned inputs and Y the binned outputs; `EffectiveInformation` defines the measures.

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> layer = ef.analyze({"w0": np.eye(2)}, activation="linear", bins=4)[0]
    >>> layer.ei, layer.ei_interval, layer.joint_method
    (4.0, (4.0, 4.0), 'exact')
    >>> layer.sensitivity_matrix
    array([[2., 0.],
           [0., 2.]])
    """

    name: str
    n_in: int
    n_out: int
    activation: str
    in_range: Ranges
    out_range: Ranges
    in_bins: int
    out_bins: int
    ei: float
    ei_stderr: float
    ei_interval: tuple[float, float]
    sensitivity: float
    sensitivity_stderr: float
    degeneracy: float
    degeneracy_stderr: float
    ei_parts: float
    ei_parts_stderr: float
    phi_ff: float
    phi_ff_stderr: float
    sensitivity_matrix: Matrix = field(repr=False)
    ei_parts_matrix: Matrix = field(repr=False)
    output_entropy: float
    conditional_entropy: float
    joint_method: str
    entropy_estimator: str
    pairwise_method: str
    n_samples: int
    flags: tuple[str, ...]
    patch: tuple[int, ...] | None = None
    share_outside: float = float("nan")
    ei_bounds: tuple[float, float] = (float("nan"), float("nan"))
    per_position: bool = False

    def figures(self) -> dict[str, Any]:
        """Return every attribute but the matrices.

        Returns
        -------
        dict
            The attributes by name, in the order of the parameters.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> ef.analyze([np.eye(2)], activation="linear", bins=4)[0].figures()["ei"]
        4.0
        """
        names = [figure.name for figure in fields(self) if not figure.name.endswith("_matrix")]
        return {name: getattr(self, name) for name in names}

    def end(self, name: str) -> float:
        """Return an end of the interval of EI, or of its bounds.

        Parameters
        ----------
        name : str
            ``"ei_low"``, ``"ei_high"``, ``"ei_bounds_low"`` or ``"ei_bounds_high"``, as in the table of a trajectory.

        Returns
        -------
        float
            Bits.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> ef.analyze([np.eye(2)], activation="linear", bins=4)[0].end("ei_bounds_low")
        4.0
        """
        pair, end = ENDS[name]
        return float(getattr(self, pair)[end])

    def explain(self) -> str:
        """Say how EI was found, and what each flag means.

        Returns
        -------
        str
            A sentence or two, and one paragraph for each flag.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> print(ef.analyze([np.zeros((1, 1))])[0].explain())  # doctest: +ELLIPSIS
        layer0: EI is exact to rounding: ... [constant] No output leaves its bin anywhere on the input range, ...
        """
        how = METHODS[self.joint_method].explain(self.figures())
        how += {
            "exact": " Sensitivity and EI_parts are exact.",
            "sampled": " Sensitivity and EI_parts were measured exactly for a random subset of the edges, by which the "
            "sums over all edges are estimated; the matrices are NaN at the others.",
            "histogram": " Sensitivity and EI_parts come from simulated joint histograms of every edge.",
            "none": " Sensitivity and EI_parts were not measured.",
        }[self.pairwise_method]
        if self.patch is not None:
            how += f" All figures are those of one patch of {shape_of(self.patch)} inputs."
        if self.per_position:
            how += " All figures are those of one position of a sample, and the same at every other."
        return " ".join([f"{self.name}: {how}", *(f"[{flag}] {self.meaning(flag)}" for flag in self.flags)])

    def meaning(self, flag: str) -> str:
        """Say what a flag means for this layer, and what to do.

        Parameters
        ----------
        flag : str
            One of `flags`.

        Returns
        -------
        str
            A sentence or two.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> layer = ef.analyze([np.zeros((1, 1))])[0]
        >>> layer.meaning(layer.flags[0])
        'No output leaves its bin anywhere on the input range, so that everything is exactly 0.'
        """
        return explanation_of(flag, self.share_outside)

    def _repr_html_(self) -> str:
        return layer_in_html(self)
