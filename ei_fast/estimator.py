"""The public entry: `EffectiveInformation` and its short form `analyze`."""

import time
from typing import Any, Self

import numba
import numpy as np
from sklearn.base import BaseEstimator
from tqdm import tqdm

import ei_fast
from ei_fast.adapters import as_network
from ei_fast.intervention.streams import resolve_seed
from ei_fast.measures.conditional import Plan
from ei_fast.measures.entropy import estimator_named
from ei_fast.measures.estimate import UNDERSAMPLED
from ei_fast.measures.joint import joint_ei
from ei_fast.measures.sensitivity import edge_sensitivity
from ei_fast.network.binned import BinnedLayer
from ei_fast.network.layer import Layer
from ei_fast.network.network import Network
from ei_fast.parallel import Workers
from ei_fast.report import CONSTANT, SENSITIVITY_BELOW_EI, TOL_NOT_REACHED, LayerReport, Report
from ei_fast.settings import OWNER, Frozen, Settings


class EffectiveInformation(BaseEstimator):
    """Effective information, sensitivity and degeneracy of every layer of a network, in bits.

    Parameters
    ----------
    bins : int or (int, int), default 8
        Equal bins over the range of each input and each output neuron.
    activation : str, Activation, or one a layer, default "sigmoid"
        Of layers that come as bare arrays.
    in_range : "auto" or (float, float)
        Range of the first layer's inputs; the network's own, (0, 1) unless it says otherwise.
    out_range : "auto" or (float, float)
        Range of every layer's outputs; each layer's own, or derived: see `Network.ranges`.
    out_of_range : "clip"
        Outputs outside the range belong to the outermost bin.
    baseline : float, default 0.0
        Value of the other inputs in sensitivity.
    joint : "auto" or "conditional"
        Estimator of the joint EI. Parts of a layer that one input determines are computed exactly.
    pairwise : "auto", "exact" or "none"
        Whether sensitivity is computed.
    entropy : "auto" or "grassberger"
        Bias correction of sampled entropies.
    n_samples : "auto" or int
        All simulated points of a layer, at least 256; ``"auto"`` takes as many as `tol` needs.
    tol : float, default 0.01
        Bits: the root of (standard error**2 + bias**2) that ``n_samples="auto"`` aims for, up to 2**24
        points or 2**34 multiply-adds a connected part; beyond it the flag is "tol not reached".
    random_state : None, int, SeedSequence or Generator
        One seed gives bit-identical results for every `n_jobs`.
    n_jobs : None or int
        Threads; None is as many as the cores this process may use, 1 inside a joblib worker.
    verbose : int, default 0
        Above 0 a progress bar counts the layers.

    Attributes
    ----------
    report_ : Report
    ei_, sensitivity_, degeneracy_ : ndarray (n_layers,)

    References
    ----------
    Mattsson, Michaud & Hoel (2020). Examining the causal structures of deep neural networks using
    information theory. Entropy 22(12), 1429.

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> report = ef.analyze([np.eye(2)], activation="linear", bins=4)
    >>> report[0].ei, report[0].degeneracy
    (4.0, 0.0)
    """

    def __init__(
        self,
        bins: int | tuple[int, int] = 8,
        activation: Any = "sigmoid",
        in_range: Any = "auto",
        out_range: Any = "auto",
        out_of_range: str = "clip",
        baseline: float = 0.0,
        joint: str = "auto",
        pairwise: str = "auto",
        entropy: str = "auto",
        n_samples: Any = "auto",
        tol: float = 0.01,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
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
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, model: Any, y: Any = None) -> Self:
        """Measure every layer of `model`.

        Parameters
        ----------
        model : Network, Layer, Function, array, list, dict or path
            Whatever `as_network` accepts.
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            Before any work, naming the parameter or layer, the rule, the value and the remedy.
        """
        settings = Settings.checked(self.get_params(deep=False))
        network = as_network(model, activation=self.activation)
        ranges = tuple(network.ranges(settings.in_range, settings.out_range))
        frozen = Frozen(ranges, resolve_seed(self.random_state, OWNER))
        self.report_ = self._measure(network, settings, frozen)
        self.ei_ = np.array([layer.ei for layer in self.report_])
        self.sensitivity_ = np.array([layer.sensitivity for layer in self.report_])
        self.degeneracy_ = np.array([layer.degeneracy for layer in self.report_])
        return self

    def _measure(self, network: Network, settings: Settings, frozen: Frozen) -> Report:
        """Report of `network` over frozen ranges and with a frozen seed."""
        binned = [
            BinnedLayer(layer, index, *ranges, settings.in_bins, settings.out_bins, settings.drop, settings.baseline)
            for index, (layer, ranges) in enumerate(zip(network, frozen.ranges, strict=True))
        ]
        started = time.perf_counter()
        with Workers(settings.n_jobs) as workers:
            layers = [
                _measure_layer(one, settings, frozen.seed, workers)
                for one in tqdm(binned, desc="measuring", unit="layer", disable=not self.verbose)
            ]
        provenance = {
            "ei_fast": ei_fast.__version__,
            "parameters": self.get_params(deep=False),
            "seed": frozen.seed,
            "libraries": {"numpy": np.__version__, "numba": numba.__version__},
            "seconds": time.perf_counter() - started,
        }
        return Report(layers, network.skipped, provenance)


def _measure_layer(binned: BinnedLayer, settings: Settings, seed: int, workers: Workers) -> LayerReport:
    layer = binned.layer
    plan = Plan(settings.tol, settings.n_samples, estimator_named(settings.entropy))
    joint = joint_ei(binned, seed, plan, workers)
    pairwise = isinstance(layer, Layer) and settings.pairwise
    if pairwise:
        edges = edge_sensitivity(binned, workers)
    else:
        edges = np.full((layer.n_in, layer.n_out), np.nan)
    sensitivity = float(edges.sum())
    flags = []
    if joint.method == "exact" and joint.output_entropy == 0.0:
        flags.append(CONSTANT)
    if joint.undersampled:
        flags.append(UNDERSAMPLED)
    # Below the interval, not below the estimate: equality must not be flagged for noise or rounding.
    if sensitivity < joint.low - 1e-9:
        flags.append(SENSITIVITY_BELOW_EI)
    if joint.error > settings.tol:
        flags.append(TOL_NOT_REACHED)
    return LayerReport(
        name=str(layer.name),
        n_in=layer.n_in,
        n_out=layer.n_out,
        activation=layer.activation.name if isinstance(layer, Layer) else "function",
        in_range=binned.in_range,
        out_range=binned.out_range,
        in_bins=binned.in_bins,
        out_bins=binned.out_bins,
        ei=joint.value,
        ei_stderr=joint.stderr,
        ei_interval=(joint.low, joint.high),
        sensitivity=sensitivity,
        sensitivity_stderr=0.0 if pairwise else float("nan"),
        degeneracy=sensitivity - joint.value,
        degeneracy_stderr=joint.stderr if pairwise else float("nan"),
        sensitivity_matrix=edges,
        output_entropy=joint.output_entropy,
        conditional_entropy=joint.conditional_entropy,
        joint_method=joint.method,
        pairwise_method="exact" if pairwise else "none",
        n_samples=joint.n_samples,
        flags=tuple(flags),
    )


def analyze(model: Any, **params: Any) -> Report:
    """Measure every layer of `model`: ``EffectiveInformation(**params).fit(model).report_``.

    Parameters
    ----------
    model : Network, Layer, Function, array, list, dict or path
        Whatever `as_network` accepts.
    **params
        Of `EffectiveInformation`.

    Returns
    -------
    Report
        One `LayerReport` a layer, in bits.
    """
    return EffectiveInformation(**params).fit(model).report_
