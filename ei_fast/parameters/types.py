"""Types of the parameters of a measurement, and of the options by which a model is read."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

import numpy as np

from ei_fast.network.activations import Activation
from ei_fast.network.bins import Range

OWNER = "EffectiveInformation"

Activations = str | Activation | Sequence[str | Activation]
InRange = Range | Literal["auto", "seen"]
OutRange = Range | Literal["auto", "hull", "neuron", "dynamic", "seen"]
OutOfRange = Literal["clip", "drop"]
JointName = Literal["auto", "conditional", "plugin", "gaussian", "annealed"]
PairwiseMethod = Literal["auto", "exact", "histogram", "none"]
EntropyName = Literal["auto", "plugin", "miller-madow", "grassberger", "chao-shen"]
NumberOfSamples = int | Literal["auto"]
RandomState = int | np.random.SeedSequence | np.random.Generator | None


class ParametersBesideBins(TypedDict, total=False):
    """Keywords of functions that measure at several numbers of bins: those of `EffectiveInformation` without `bins`."""

    activation: Activations
    in_range: InRange
    out_range: OutRange
    out_of_range: OutOfRange
    baseline: float
    joint: JointName
    pairwise: PairwiseMethod
    entropy: EntropyName
    n_samples: NumberOfSamples
    tol: float
    effort: float
    random_state: RandomState
    n_jobs: int | None
    verbose: int
    pairwise_edges: int | None
    matrices: str | os.PathLike[str] | None


class _Bins(TypedDict, total=False):
    bins: int | tuple[int, int]


class Parameters(_Bins, ParametersBesideBins, total=False):
    """Keywords of functions that measure: the parameters of `EffectiveInformation`, which says what each means."""


class AdapterOptions(TypedDict, total=False):
    """Keywords that say how a model is read: those of `as_network` beside model, activation and range."""

    order: Sequence[str] | None
    prefix: str | None
    layout: Literal["out_in", "in_out"] | None
    norm_place: Literal["before", "after"] | Mapping[str, Literal["before", "after"]] | None
    norm_eps: float | None
    chain: bool
    layers: str | Sequence[str] | None
    blocks: Sequence[str] | Mapping[str, Range | None]
    heads: bool
    verify: bool
    input_shape: Sequence[int] | None
    example_inputs: Any
    unroll: int | None
    names: Sequence[str] | None


class ReadingOptions(AdapterOptions, total=False):
    """All keywords of `as_network`, which says what each means."""

    activation: Activations
    in_range: Range | None


class MeasuringOptions(Parameters, AdapterOptions, total=False):
    """Keywords of functions that read a model and measure it: parameters of the estimator, options of `as_network`."""


class SweepOptions(ParametersBesideBins, AdapterOptions, total=False):
    """The same of functions that measure at several numbers of bins."""


class JacobianOptions(AdapterOptions, total=False):
    """Keywords of `jacobian_ei`: those parameters of the estimator that it has, and options of `as_network`."""

    activation: Activations
    in_range: InRange | Sequence[Range]
    n_samples: NumberOfSamples
    tol: float
    effort: float
    random_state: RandomState
    n_jobs: int | None
