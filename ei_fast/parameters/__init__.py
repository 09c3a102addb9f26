"""The parameters of a measurement: their types, and what each may be, checked once and before any work."""

from ei_fast.parameters.constraints import CONSTRAINTS, Integer, Number, OneOf
from ei_fast.parameters.keywords import Unchanged, check_adapter_options, measuring_and_reading, shows_keywords
from ei_fast.parameters.settings import RangesAndSeed, Settings, check_no_files
from ei_fast.parameters.types import (
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
    Parameters,
    ParametersBesideBins,
    RandomState,
    ReadingOptions,
    SweepOptions,
)

__all__ = [
    "CONSTRAINTS",
    "OWNER",
    "Activations",
    "AdapterOptions",
    "EntropyName",
    "InRange",
    "Integer",
    "JointName",
    "MeasuringOptions",
    "Number",
    "NumberOfSamples",
    "OneOf",
    "OutOfRange",
    "OutRange",
    "PairwiseMethod",
    "Parameters",
    "ParametersBesideBins",
    "RandomState",
    "RangesAndSeed",
    "ReadingOptions",
    "Settings",
    "SweepOptions",
    "Unchanged",
    "check_adapter_options",
    "check_no_files",
    "measuring_and_reading",
    "shows_keywords",
]
