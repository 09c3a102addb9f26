"""The public entry: `EffectiveInformation` and its short form `analyze`."""

import os
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import cache
from typing import Any, Self, Unpack

import numba
import numpy as np
from sklearn.base import BaseEstimator
from tqdm import tqdm

from ei_fast._version import __version__
from ei_fast.adapters import as_network
from ei_fast.intervention.streams import resolve_seed
from ei_fast.measures.constants import JOINT_POINTS, Z95
from ei_fast.measures.edges.auto import explain_choice as choice_of_edges
from ei_fast.measures.edges.auto import pairwise_method
from ei_fast.measures.edges.matrices import check_files
from ei_fast.measures.joint.auto import explain_choice as choice_of_joint
from ei_fast.measures.joint.estimate import JointEI
from ei_fast.measures.joint.plugin import check_memory
from ei_fast.measures.layer import LayerMeasures, measure_layer
from ei_fast.measures.options import MeasureOptions
from ei_fast.measures.stages import Runner
from ei_fast.network.binned import BinnedLayer
from ei_fast.network.bins import Ranges, can_be_divided, hull_of
from ei_fast.network.network import Network
from ei_fast.parameters import (
    OWNER,
    Activations,
    AdapterOptions,
    EntropyName,
    InRange,
    JointName,
    MeasuringOptions,
    NumberOfSamples,
    OutOfRange,
    OutRange,
    PairwiseMethod,
    RandomState,
    RangesAndSeed,
    Settings,
    check_adapter_options,
    measuring_and_reading,
    shows_keywords,
)
from ei_fast.results.flags import Flag
from ei_fast.results.report import LayerReport, Report
from ei_fast.runtime.files import plain
from ei_fast.runtime.threads import Threads
from ei_fast.validation import as_numpy_ships
from ei_fast.warmup import compile_kernels

SIDE_BY_SIDE = 4
"""Layers measured at a time at the most: each keeps points of its own."""

MAX_OUTSIDE = 0.02
"""Share of the outputs outside the range beyond which that is flagged."""
MIN_EI = 0.1
"""EI in bits an output below which the single outputs are looked at."""
MIN_ENTROPY = 0.5
"""Entropy in bits of a single output, on average, below which outputs are said to be in one bin: where they have more,
EI is small for other reasons, as that they repeat each other."""


class EffectiveInformation(BaseEstimator):
    """Effective information, sensitivity and degeneracy of every layer of a network, in bits.

    Parameters
    ----------
    bins : int or (int, int), default 8
        Number of equal bins over the range of each neuron, from 2 to 32,768; or one number for the inputs and one
        for the outputs of a layer.
    activation : str, Activation, or a sequence of one for each layer, default "sigmoid"
        Activation of layers that come as bare arrays.
    in_range : "auto" or (float, float), default "auto"
        Range of the first layer's inputs. ``"auto"`` is the network's own range, (0, 1) unless it says otherwise.
    out_range : "auto", "hull", "neuron" or (float, float), default "auto"
        Range of the outputs of every layer; or how it is derived where a layer has none of its own:

        - ``"auto"``: the codomain of a bounded activation. Of an unbounded one, what the layer reaches under
          do(L1 = H^max): the hull over its neurons of each output's quantiles at 1e-4 and 1 - 1e-4;
        - ``"hull"``: the same for a bounded activation; of an unbounded one, what interval arithmetic allows. This
          range grows with the number of inputs faster than what is reached;
        - ``"neuron"``: what each neuron reaches, a range for every neuron. The inputs of the next layer move over
          these ranges.
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
        matrices: str | os.PathLike | None = None,
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
        order, prefix, layout, norm_place, norm_eps, blocks, verify, input_shape, example_inputs, names : optional
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
        order, prefix, layout, norm_place, norm_eps, blocks, verify, input_shape, example_inputs, names : optional
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
        network = as_network(model, activation=self.activation, in_range=settings.in_range, **adapter_options)
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
        order, prefix, layout, norm_place, norm_eps, blocks, verify, input_shape, example_inputs, names : optional
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

    def binned_layers(
        self, network: Network, settings: Settings, ranges: Sequence[tuple[Ranges, Ranges]]
    ) -> list[BinnedLayer]:
        """Return every layer with its bins over the given ranges.

        Parameters
        ----------
        network : Network
            The layers.
        settings : Settings
            The numbers of bins, the baseline, and whether outputs outside the range are dropped.
        ranges : sequence of (range, range)
            Input and output range of every layer, as `Network.ranges` returns them.

        Returns
        -------
        list of BinnedLayer
            One for each layer, in order.

        Raises
        ------
        ValueError
            Where bins are too narrow to be told apart, where the pairwise method does not suit a layer, or where
            counting joint states would need too much memory.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> estimator = ef.EffectiveInformation(bins=4)
        >>> network, settings, ranges_and_seed = estimator.check([np.eye(2)])
        >>> [layer.in_bins for layer in estimator.binned_layers(network, settings, ranges_and_seed.ranges)]
        [4]
        """
        binned = [
            BinnedLayer(
                block,
                index,
                *ranges[index],
                settings.in_bins,
                settings.out_bins,
                settings.drop,
                settings.baseline,
            )
            for index, block in enumerate(network)
        ]
        for layer in binned:
            pairwise_method(layer, settings.options)
            _check_bins(layer)
        if settings.pairwise != "none":
            check_files(binned, settings.matrices)
        check_memory(settings.n_samples or JOINT_POINTS, settings.joint)
        return binned

    @as_numpy_ships
    def measure(
        self, network: Network, settings: Settings, ranges_and_seed: RangesAndSeed, runner: Runner | None = None
    ) -> Report:
        """Measure a network over given ranges and with a given seed.

        What belongs together, like the records of a training, is measured so: over the same ranges or by the same
        rule, and with the same seed. The estimator itself stays as it is.

        Parameters
        ----------
        network : Network
            The layers.
        settings : Settings
            The checked parameters.
        ranges_and_seed : RangesAndSeed
            Input and output range of every layer, and the seed.
        runner : Runner, optional
            Where the work is done; in threads of this process where not given.

        Returns
        -------
        Report
            One `LayerReport` for each layer, in bits.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> estimator = ef.EffectiveInformation(activation="linear", bins=4)
        >>> estimator.measure(*estimator.check([np.eye(2)]))[0].ei
        4.0
        """
        binned = self.binned_layers(network, settings, ranges_and_seed.ranges)
        return self._measured(network, settings, ranges_and_seed, binned, runner)

    def _measured(
        self,
        network: Network,
        settings: Settings,
        ranges_and_seed: RangesAndSeed,
        binned: list[BinnedLayer],
        runner: Runner | None,
    ) -> Report:
        """What `measure` returns, of layers whose bins are there."""
        if self.verbose:
            compile_kernels()
        started = time.perf_counter()
        runner = runner or Runner(Threads(settings.n_jobs, bool(self.verbose)))
        with runner.threads:
            layers = _measure_layers(binned, settings.options, ranges_and_seed.seed, runner, bool(self.verbose))
        noted = {name for name, note in network.notes if note == Flag.INTEGERS.meaning}
        layers = [replace(one, flags=(*one.flags, Flag.INTEGERS)) if one.name in noted else one for one in layers]
        provenance = {
            "ei_fast": __version__,
            "parameters": plain(self.get_params(deep=False)),
            "seed": ranges_and_seed.seed,
            "ranges": ranges_and_seed.convention if isinstance(settings.out_range, str) else "",
            "libraries": {"numpy": np.__version__, "numba": numba.__version__},
            "seconds": time.perf_counter() - started,
        }
        return Report(layers, network.skipped, provenance)


def _check_bins(binned: BinnedLayer) -> None:
    """Raise ValueError where bins are too narrow to be told apart."""
    for name, ranges, bins in (("in", binned.in_range, binned.in_bins), ("out", binned.out_range, binned.out_bins)):
        if not can_be_divided(ranges, bins):
            raise ValueError(
                f"Layer {binned.index} ({binned.layer.name!r}): its {name}puts' range {hull_of(ranges)} cannot be "
                f"divided into {bins} bins that rounding tells apart. Give fewer bins, or a wider {name}_range."
            )


def flags_of(joint: JointEI, options: MeasureOptions) -> list[Flag]:
    """What is to be known of a joint EI before it is trusted."""
    flags = []
    if joint.is_undefined:
        flags.append(Flag.NOTHING_KEPT)
    if joint.method == "exact" and joint.output_entropy == 0.0:
        flags.append(Flag.CONSTANT)
    if joint.undersampled:
        flags.append(Flag.UNDERSAMPLED)
    if joint.is_unverified:
        flags.append(Flag.UNVERIFIED)
    if joint.error > options.tol_of(joint.value):
        flags.append(Flag.TOL_NOT_REACHED)
    return flags


def _measure_layers(
    binned: Sequence[BinnedLayer], options: MeasureOptions, seed: int, runner: Runner, verbose: bool
) -> list[LayerReport]:
    """Reports of all layers. Dense ones are measured side by side: threads gain little inside a small one."""
    # A user's function, or activation, need not be safe to run in several threads: these have their turns first.
    in_turn = [layer for layer in binned if not layer.layer.is_thread_safe]
    side_by_side = [layer for layer in binned if layer.layer.is_thread_safe]
    for layer in side_by_side:
        _ = layer.steps
    # Even a disabled bar starts a thread.
    with tqdm(total=len(binned), desc="measuring", unit="layer") if verbose else nullcontext() as bar:

        def measured(layer: BinnedLayer) -> LayerReport:
            measures = runner.named(f"layer{layer.index}").run(measure_layer(layer, options, seed))
            report = _report_of(layer, measures, options)
            if bar is not None:
                with bar.get_lock():
                    bar.update()
            return report

        reports = [
            *map(measured, in_turn),
            *runner.threads.map(measured, side_by_side, at_once=SIDE_BY_SIDE),
        ]
    report_of = dict(zip([*in_turn, *side_by_side], reports, strict=True))
    return [report_of[layer] for layer in binned]


def _flags_of_layer(binned: BinnedLayer, measured: LayerMeasures, options: MeasureOptions) -> list[Flag]:
    """What is to be known of a layer's figures before they are trusted."""
    joint, sensitivity, ei_parts = measured.joint, measured.sensitivity, measured.ei_parts
    flags = flags_of(joint, options)
    # Below the interval, not below the estimate: equality must not be flagged for noise or rounding.
    if sensitivity.total + Z95 * sensitivity.stderr < joint.low - 1e-9:
        flags.append(Flag.SENSITIVITY_BELOW_EI)
    is_undefined = measured.pairwise_method != "none" and np.isnan(sensitivity.total + ei_parts.total)
    if Flag.NOTHING_KEPT not in flags and is_undefined:
        flags.append(Flag.NOTHING_KEPT)
    if Flag.TOL_NOT_REACHED not in flags and max(sensitivity.stderr, ei_parts.stderr) > options.tol:
        flags.append(Flag.TOL_NOT_REACHED)
    if Flag.NOTHING_KEPT not in flags and measured.occupancy.share_outside > MAX_OUTSIDE:
        flags.append(Flag.OUTSIDE)
    is_little = Flag.CONSTANT not in flags and joint.low < MIN_EI * binned.layer.n_out
    if is_little and measured.occupancy.output_entropy < MIN_ENTROPY:
        flags.append(Flag.ONE_BIN)
    return flags


def _report_of(binned: BinnedLayer, measured: LayerMeasures, options: MeasureOptions) -> LayerReport:
    layer, joint, sensitivity, ei_parts = binned.layer, measured.joint, measured.sensitivity, measured.ei_parts
    return LayerReport(
        name=str(layer.name),
        n_in=layer.n_in,
        n_out=layer.n_out,
        activation=layer.activation_name,
        in_range=binned.in_range,
        out_range=binned.out_range,
        in_bins=binned.in_bins,
        out_bins=binned.out_bins,
        ei=joint.value,
        ei_stderr=joint.stderr,
        ei_interval=(joint.low, joint.high),
        sensitivity=sensitivity.total,
        sensitivity_stderr=sensitivity.stderr,
        degeneracy=sensitivity.total - joint.value,
        degeneracy_stderr=float(np.hypot(joint.stderr, sensitivity.stderr)),
        ei_parts=ei_parts.total,
        ei_parts_stderr=ei_parts.stderr,
        phi_ff=joint.value - ei_parts.total,
        phi_ff_stderr=float(np.hypot(joint.stderr, ei_parts.stderr)),
        sensitivity_matrix=sensitivity.matrix,
        ei_parts_matrix=ei_parts.matrix,
        output_entropy=joint.output_entropy,
        conditional_entropy=joint.conditional_entropy,
        joint_method=joint.method,
        entropy_estimator=joint.estimator,
        pairwise_method=measured.pairwise_method,
        n_samples=joint.n_samples,
        flags=tuple(_flags_of_layer(binned, measured, options)),
        patch=layer.patch,
        share_outside=measured.occupancy.share_outside,
        ei_bounds=joint.bounds,
    )


@shows_keywords(EffectiveInformation, as_network)
def analyze(model: Any, **params: Unpack[MeasuringOptions]) -> Report:
    """Measure every layer of `model`.

    The short form of ``EffectiveInformation(**parameters).fit(model, **options).report_``.

    Parameters
    ----------
    model : Network, Layer, Function, array, list, dict, path, or a model of a framework
        Whatever `as_network` accepts.
    bins, activation, in_range, out_range, out_of_range, baseline : optional
        What is measured: see `EffectiveInformation`.
    joint, pairwise, entropy, n_samples, tol, effort, random_state, n_jobs, verbose, pairwise_edges, matrices : optional
        How it is measured: see `EffectiveInformation`.
    order, prefix, layout, norm_place, norm_eps, blocks, verify, input_shape, example_inputs, names : optional
        How the model is read: see `as_network`.

    Returns
    -------
    Report
        One `LayerReport` for each layer, in bits.

    Raises
    ------
    TypeError, ValueError
        Before any work: the message names the parameter or layer, the rule, the value and the remedy.

    See Also
    --------
    EffectiveInformation : The same as an estimator; its notes define the measures.

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> report = ef.analyze([np.eye(2)], activation="linear", bins=4)
    >>> report[0].ei, report[0].degeneracy
    (4.0, 0.0)
    """
    parameters, reading = measuring_and_reading(params, "analyze")
    return EffectiveInformation(**parameters).fit(model, **reading).report_
