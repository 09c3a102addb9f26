"""The same work by others: deep-ei, bare forward passes, scikit-learn."""

import networkx as nx
import numpy as np
import torch
from deep_ei import ei, ei_parts, sensitivity
from sklearn.metrics import mutual_info_score
from torch import nn

BATCH = 10_000


def _deep_ei(measure, case, samples, **params):
    """A measure of deep-ei 0.7.0 over a sigmoid layer."""
    torch.manual_seed(0)
    layer, activation = nn.Linear(case.n_in, case.n_out, bias=False), nn.Sigmoid()
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(case.weight.T.copy()))
    # Its own topology_of adds an edge from None, which networkx has refused since 2.4: the one node by hand.
    topology = nx.DiGraph()
    topology.add_node(
        layer,
        input={"activation": activation, "shape": (1, case.n_in)},
        output={"activation": activation, "shape": (1, case.n_out)},
    )
    return measure(
        layer,
        topology,
        samples=samples,
        in_range=(0, 1),
        in_bins=case.bins,
        out_range=(0, 1),
        out_bins=case.bins,
        **params,
    )


def deep_ei_joint(case, samples):
    return _deep_ei(ei, case, samples, batch_size=BATCH)


def deep_ei_parts(case, samples):
    return _deep_ei(ei_parts, case, samples, batch_size=BATCH)


def deep_ei_sensitivity(case, samples):
    return _deep_ei(sensitivity, case, samples, batch_size=samples)


def numpy_forward(case, samples):
    """Uniform inputs through the layer, batch by batch."""
    rng, weight = np.random.default_rng(0), case.weight.astype(np.float32)
    for _ in range(samples // BATCH):
        y = 1 / (1 + np.exp(-(rng.random((BATCH, case.n_in), dtype=np.float32) @ weight)))
    return y


def torch_forward(case, samples):
    """The same in PyTorch, with as many threads as it takes by default."""
    torch.manual_seed(0)
    weight = torch.from_numpy(case.weight.T.astype(np.float32))
    with torch.no_grad():
        for _ in range(samples // BATCH):
            y = torch.sigmoid(nn.functional.linear(torch.rand(BATCH, case.n_in), weight))
    return y.numpy()


def sklearn_mutual_information(x, y, bins):
    """Of one edge, from NumPy's histogram."""
    table, _, _ = np.histogram2d(x, y, bins=bins, range=((0, 1), (0, 1)))
    return mutual_info_score(None, None, contingency=table) / np.log(2)
