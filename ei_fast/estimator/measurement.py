"""Parameters in, a report and its figures out: what the estimator does, and `analyze` without scikit-learn."""

import os
from typing import Any, Self, Unpack

import numpy as np

from ei_fast.adapters import as_network
from ei_fast.estimator.measuring import MeasuresNetworks
from ei_fast.intervention.streams import resolve_seed
from ei_fast.measures.edges.auto import explain_choice as choice_of_edges
from ei_fast.measures.joint.auto import explain_choice as choice_of_joint
from ei_fast.network.binned import BinnedLayer
from ei_fast.network.network import Network
from ei_fast.parameters import (
    OWNER,
    Activations,
    AdapterOptions,
    EntropyName,
    InRange,
    JointName,
    NumberOfSamples,
    OutOfRange,
    OutRange,
    PairwiseMethod,
    RandomState,
    RangesAndSeed,
    Settings,
    check_adapter_options,
    shows_keywords,
)
from ei_fast.validation import as_numpy_ships


class Measurement(MeasuresNetworks):
    """All that `EffectiveInformation` does, which makes a scikit-learn estimator of it; its parameters are those.

    To import scikit-learn takes half a second, and pandas with it where that is installed.
    """

    def __init__(
        self,
        bins: int | tuple[int, int] = 8,
        activation: Activations = "sigmoid",
        in_range: InRange = "auto",
        out_range: OutRange = "auto",
        out_of_range: OutOfRange = "clip",
        baseline: float = 0.0,
        joint: JointName = "auto",
        pairwise: PairwiseMethod = "auto",
        entropy: EntropyName = "auto",
        n_samples: NumberOfSamples = "auto",
        tol: float = 0.01,
        effort: float = 1.0,
        random_state: RandomState = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        pairwise_edges: int | None = None,
        matrices: str | os.PathLike[str] | None = None,
    ):
        self.bins = bins
        self.activation = activation
        self.in_range = in_range
        self.out_range = out_range
        self.out_of_range = out_of_range
        self.baseline = baseline
        self.joint = joint
        self.pairwise = pairwise
        self.entropy = entropy
        self.n_samples = n_samples
        self.tol = tol
        self.effort = effort
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.pairwise_edges = pairwise_edges
        self.matrices = matrices

    @shows_keywords(as_network)
    @as_numpy_ships
    def fit(self, model: Any, y: Any = None, **adapter_options: Unpack[AdapterOptions]) -> Self:
        """Measure every layer of `model`.

        Parameters
        ----------
        model : Network, Layer, Function, array, list, dict, path, or a model of a framework
            Whatever `as_network` accepts.
        y : None, default None
            Ignored; scikit-learn's interface has it.
        order, prefix, layout, norm_place, norm_eps, chain, layers : optional
            How a dict or file of weights is read: see `as_network`.
        blocks, heads, verify, input_shape, example_inputs, unroll, names : optional
            How the model is read: see `as_network`.

        Returns
        -------
        EffectiveInformation
            The estimator itself, with `report_` and the other fitted attributes.

        Raises
        ------
        TypeError, ValueError
            Before any work: the message names the parameter or layer, the rule, the value and the remedy.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> ef.EffectiveInformation(activation="linear").fit([np.eye(3)]).ei_
        array([9.])
        """
        network, settings, ranges_and_seed, binned = self._checked(model, "fit", adapter_options)
        self._set_n_features_in(model)
        self.report_ = self._measured(network, settings, ranges_and_seed, binned, None)
        self.ei_ = np.array([layer.ei for layer in self.report_])
        self.sensitivity_ = np.array([layer.sensitivity for layer in self.report_])
        self.degeneracy_ = np.array([layer.degeneracy for layer in self.report_])
        self.ei_parts_ = np.array([layer.ei_parts for layer in self.report_])
        self.phi_ff_ = np.array([layer.phi_ff for layer in self.report_])
        return self

    @shows_keywords(as_network)
    @as_numpy_ships
    def check(self, model: Any, **adapter_options: Unpack[AdapterOptions]) -> tuple[Network, Settings, RangesAndSeed]:
        """Check what `fit` would measure, and measure nothing.

        Parameters
        ----------
        model : Network, Layer, Function, array, list, dict, path, or a model of a framework
            Whatever `as_network` accepts.
        order, prefix, layout, norm_place, norm_eps, chain, layers : optional
            How a dict or file of weights is read: see `as_network`.
        blocks, heads, verify, input_shape, example_inputs, unroll, names : optional
            How the model is read: see `as_network`.

        Returns
        -------
        network : Network
            The network behind `model`.
        settings : Settings
            The checked parameters.
        ranges_and_seed : RangesAndSeed
            Input and output range of every layer, and the seed, drawn where `random_state` is None.

        Raises
        ------
        TypeError, ValueError
            As `fit`.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> network, settings, _ = ef.EffectiveInformation(bins=(4, 8)).check([np.eye(2)])
        >>> network, settings.in_bins, settings.out_bins
        (Network(2 -> 2, in_range=(0.0, 1.0)), 4, 8)
        """
        network, settings, ranges_and_seed, _ = self._checked(model, "check", adapter_options)
        return network, settings, ranges_and_seed

    def _checked(
        self, model: Any, method: str, adapter_options: AdapterOptions
    ) -> tuple[Network, Settings, RangesAndSeed, list[BinnedLayer]]:
        """What `check` returns, and the layers with their bins."""
        check_adapter_options(adapter_options, f"{OWNER}.{method}")
        settings = Settings.checked(self.parameters)
        if getattr(model, "ndim", None) == 2 and 0 in model.shape:
            raise ValueError(
                f"The 'model' parameter of {OWNER}.fit must be a weight array (n_in, n_out), at least one of each. Got "
                f"{model.shape[1]} feature(s) (shape={model.shape}) while a minimum of 1 is required."
            )
        network = as_network(model, activation=self.activation, in_range=settings.range_of_model, **adapter_options)
        ranges = tuple(network.ranges(settings.in_range, settings.out_range))
        binned = self.binned_layers(network, settings, ranges)
        return network, settings, RangesAndSeed(ranges, resolve_seed(self.random_state, OWNER)), binned

    @shows_keywords(as_network)
    @as_numpy_ships
    def choices(self, model: Any, **adapter_options: Unpack[AdapterOptions]) -> str:
        """Say which methods `fit` would use for each layer of a model, and why; a small simulation is all that is done.

        Parameters
        ----------
        model : Network, Layer, Function, array, list, dict, path, or a model of a framework
            Whatever `as_network` accepts.
        order, prefix, layout, norm_place, norm_eps, chain, layers : optional
            How a dict or file of weights is read: see `as_network`.
        blocks, heads, verify, input_shape, example_inputs, unroll, names : optional
            How the model is read: see `as_network`.

        Returns
        -------
        str
            Two sentences a layer, on a line: about the joint EI, and about sensitivity and EI_parts.

        Raises
        ------
        TypeError, ValueError
            As `fit`.

        See Also
        --------
        LayerReport.explain : What was done, once it was.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> print(ef.EffectiveInformation().choices(np.eye(2) + 1))
        layer0: EI conditional: every one of 64 input cells is visited. Edges exact: a dense layer's are integrals.
        """
        _, settings, ranges_and_seed, layers = self._checked(model, "choices", adapter_options)
        return "\n".join(
            f"{binned.layer.name}: EI {choice_of_joint(binned, settings.options, ranges_and_seed.seed)}. "
            f"Edges {choice_of_edges(binned, settings.options)}."
            for binned in layers
        )

    def _set_n_features_in(self, model: Any) -> None:
        """Set what scikit-learn expects after a fit to a 2-D array, which is one dense layer here: its columns."""
        if getattr(model, "ndim", None) == 2:
            self.n_features_in_ = int(model.shape[1])
        elif hasattr(self, "n_features_in_"):
            del self.n_features_in_
