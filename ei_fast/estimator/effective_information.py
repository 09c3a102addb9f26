"""The estimator: parameters in, a report and its figures out."""

import os
from functools import cache
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


class EffectiveInformation(MeasuresNetworks):
    """Effective information, sensitivity and degeneracy of every layer of a network, in bits.

    Parameters
    ----------
    bins : int or (int, int), default 8
        Number of equal bins over the range of each neuron, from 2 to 32,768; or one number for the inputs and one
        for the outputs of a layer.
    activation : str, Activation, or a sequence of one for each layer, default "sigmoid"
        Activation of layers that come as bare arrays; a module of PyTorch too, as for `Activation`.
    in_range : "auto", "seen" or (float, float), default "auto"
        Range of the first layer's inputs. ``"auto"`` is the network's own range, (0, 1) unless it says otherwise.
        ``"seen"``, with `example_inputs`: of every layer, the smallest and largest number that it received while the
        model ran on them as they are.
    out_range : "auto", "hull", "neuron", "seen" or (float, float), default "auto"
        Range of the outputs of every layer; or how it is derived where a layer has none of its own:

        - ``"auto"``: the codomain of a bounded activation. Of an unbounded one, what the layer reaches under
          do(L1 = H^max): the hull over its neurons of each output's quantiles at 1e-4 and 1 - 1e-4;
        - ``"hull"``: the same for a bounded activation; of an unbounded one, what interval arithmetic allows. This
          range grows with the number of inputs faster than what is reached;
        - ``"neuron"``: what each neuron reaches, a range for every neuron. The inputs of the next layer move over
          these ranges;
        - ``"seen"``, with `example_inputs`: the smallest and largest number that the layer gave while the model ran on
          them as they are. A layer that gave a single number has a range of 1 around it.

        A layer that is fed by the one before moves over the range of that one's outputs: the two ends of a connection
        have one range. Under ``in_range="seen"`` and ``out_range="seen"`` both ends are seen, and agree by themselves;
        with one of them alone they differ.
    out_of_range : "clip" or "drop", default "clip"
        ``"clip"`` counts outputs outside the range in the outermost bins. ``"drop"`` leaves the sample out: in
        per-edge measures where that output is outside, in the joint EI where any output is.
    baseline : float, default 0.0
        Value of the other inputs in sensitivity.
    joint : "auto", "conditional", "plugin", "gaussian" or "annealed", default "auto"
        Method for the joint EI. ``"auto"`` is exact for components of a layer that one input determines, the
        conditional method where samples resolve the output's states, and beyond that chains that anneal sampled states
        between a Gaussian and the uniform inputs (``"annealed"``), or the Gaussian alone where its error is known to be
        small (``"gaussian"``). ``"plugin"`` counts joint states, as published, for comparison.
    pairwise : "auto", "exact", "histogram" or "none", default "auto"
        Method for sensitivity and EI_parts: exact for dense layers, simulated joint histograms for a `Function`, or
        not measured at all. ``"auto"`` takes the first that the layer allows.
    entropy : "auto", "plugin", "miller-madow", "grassberger" or "chao-shen", default "auto"
        Estimator of sampled entropies. ``"auto"`` is Zhang's estimator with the contribution of unseen states added,
        for the joint EI and for EI_parts from histograms, and the plug-in with ``joint="plugin"``.
    n_samples : "auto" or int, default "auto"
        Number of all simulated points of a layer's joint EI, at least 256, and of the points in every edge's
        histogram. ``"auto"`` takes as many as `tol` needs.
    tol : float, default 0.01
        Bits: the value of sqrt(standard error**2 + (bias + abs(shift))**2) that ``n_samples="auto"`` aims for, from
        1e-6 to 100; the shift is what ``entropy="auto"`` would add to the estimate, 0 unless another was asked for. It
        spends up to 2**24 points or 2**34 multiply-adds on a connected component; where these do not suffice the
        layer has the flag "tol not reached". Above 10 bits of EI a tenth of `tol`, relative to EI, takes its place.
    effort : float, default 1.0
        Multiplies these ceilings, from 0.01 to 10,000. At 1 a layer takes about 5 seconds of two cores at the most.
    random_state : None, int, SeedSequence or Generator, default None
        Source of the seed. One seed gives bit-identical results for every `n_jobs`; None draws a new seed.
    n_jobs : None or int, default None
        Number of threads. None is the number of cores this process may use, and 1 inside a joblib worker.
    verbose : int, default 0
        Above 0, progress bars count the kernels while they are compiled, once on a machine, then the layers, and the
        tasks inside a layer that takes seconds.
    pairwise_edges : None or int, default None
        Number of edges, at least 1000, whose sensitivity and EI_parts are measured, exactly, in a dense layer that has
        more; the sums over all edges are estimated by these, with a standard error. The edges are drawn at random,
        those that are expected to carry more with a greater chance; the matrices are NaN at all others. None measures
        every edge. Layers whose edges are simulated are measured as a whole either way.
    matrices : None, str or path, default None
        Folder in which the matrices are kept: ``<layer>-sensitivity.npy`` and ``<layer>-ei_parts.npy``, new files that
        are filled block by block and that reports read from there, as memory maps. None keeps them in memory. Either
        way those of layers with more than 2**22 edges are float32.

    Attributes
    ----------
    report_ : Report
        All figures of all layers, with their errors.
    ei_, sensitivity_, degeneracy_, ei_parts_, phi_ff_ : ndarray (n_layers,)
        The five measures in bits, one entry for each layer.
    n_features_in_ : int
        Number of columns, n_out, where the model is one 2-D array.

    Raises
    ------
    TypeError, ValueError
        By `fit` and before any work: each message names the parameter or layer, the rule, the value and the remedy.

    Notes
    -----
    Every input neuron X_i of a layer is set, independently and uniformly, over its range: do(L1 = H^max). Inputs and
    outputs are binned. With Y the outputs of the layer [1]_,

    - EI = I(X; Y) = H(Y) - H(Y | X) of all inputs and all outputs together (section 2.2);
    - sensitivity is the sum over edges of I(X_i; Y_j) with only X_i moving and the other inputs at the baseline
      (section 2.3);
    - degeneracy = sensitivity - EI;
    - EI_parts is the sum over edges of I(X_i; Y_j) with every input moving, and phi_ff = EI - EI_parts
      (section 2.4).

    References
    ----------
    .. [1] Mattsson, Michaud & Hoel (2020). Examining the causal structures of deep neural networks using
       information theory. Entropy 22(12), 1429.

    Examples
    --------
    Each output is one of two inputs, and keeps its two bits: EI is all that there is, and degeneracy is 0.

    >>> import numpy as np
    >>> import ei_fast as ef
    >>> estimator = ef.EffectiveInformation(bins=4, activation="linear").fit([np.eye(2)])
    >>> estimator.ei_, estimator.degeneracy_
    (array([4.]), array([0.]))

    Both outputs are the same sum of two inputs, so that one of them is redundant: sensitivity is above EI.

    >>> report = ef.analyze([np.ones((2, 2))], activation="linear", bins=4, random_state=0)
    >>> report[0].ei < 2.0 < report[0].sensitivity
    True
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

    @classmethod
    @cache
    def _get_param_names(cls) -> list[str]:
        # scikit-learn inspects the signature at every call, which takes a quarter of a millisecond.
        return super()._get_param_names()

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
        settings = Settings.checked(self.get_params(deep=False))
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
