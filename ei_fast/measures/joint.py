"""The joint EI of a layer: its independent parts, each by the best method there is, added up."""

import numpy as np

from ei_fast.intervention.do import DenseIntervention, FunctionIntervention
from ei_fast.measures.conditional import conditional_ei
from ei_fast.measures.estimate import JointEI
from ei_fast.measures.single_input import exact_ei, is_exact
from ei_fast.network.binned import BinnedLayer
from ei_fast.network.layer import Function
from ei_fast.parallel import Workers


def joint_ei(binned: BinnedLayer, seed: int, tol: float, n_samples: int | None, workers: Workers) -> JointEI:
    """EI = I(X; Y) under do(X = H^max), in bits (Mattsson et al. 2020, section 2.2).

    Parameters
    ----------
    tol : float
        Bits: root of (standard error**2 + bias**2) to aim for.
    n_samples : int or None
        All simulated points, in place of what `tol` asks for; shared out over the sampled parts.
    """
    if isinstance(binned.layer, Function):
        function = FunctionIntervention(
            binned.layer, binned.in_range, binned.in_bins, binned.out_edges, seed, (binned.index, 0)
        )
        # Somebody else's code need not be safe to run in several threads.
        with Workers(1) as alone:
            return JointEI.sum([conditional_ei(function, tol, n_samples, alone)], binned.ceiling)
    parts = binned.components()
    sampled = [part for part in parts if not is_exact(binned, part)]
    result = [exact_ei(binned, part) for part in parts if is_exact(binned, part)]
    for part in sampled:
        intervention = DenseIntervention(
            part.weight,
            part.bias,
            binned.steps,
            binned.in_range,
            binned.in_bins,
            seed,
            (binned.index, int(part.inputs[0])),
        )
        share = None if n_samples is None else max(64, n_samples // len(sampled))
        result.append(conditional_ei(intervention, tol / np.sqrt(len(sampled)), share, workers))
    return JointEI.sum(result, binned.ceiling)
