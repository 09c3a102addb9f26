"""Graph networks: rows are nodes, and what joins them is no layer."""

import numpy as np
import pytest
import torch
from torch import nn

import ei_fast as ef

pyg = pytest.importorskip("torch_geometric")
from torch_geometric.data import Batch, Data  # noqa: E402
from torch_geometric.nn import (  # noqa: E402
    GAT,
    GCNConv,
    GINConv,
    GraphSAGE,
    NNConv,
    SAGEConv,
    global_add_pool,
    global_mean_pool,
)


def graph(n=9, e=20):
    return Data(
        x=torch.rand(n, 5), edge_index=torch.randint(n, (2, e)), edge_attr=torch.rand(e, 3), y=torch.tensor([1])
    )


class Convolving(nn.Module):
    """Takes nodes and edges."""

    def __init__(self):
        super().__init__()
        self.c1, self.c2, self.out = GCNConv(5, 8), GCNConv(8, 6), nn.Linear(6, 2)

    def forward(self, x, edge_index):
        h = torch.relu(self.c1(x, edge_index))
        return self.out(torch.relu(self.c2(h, edge_index)))


class OnData(nn.Module):
    """Takes a graph, or a batch of them."""

    def __init__(self):
        super().__init__()
        self.c1 = GINConv(nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 8)))
        self.c2, self.out = SAGEConv(8, 6), nn.Linear(6, 2)

    def forward(self, data):
        h = torch.relu(self.c1(data.x, data.edge_index))
        return self.out(global_mean_pool(self.c2(h, data.edge_index).relu(), data.batch))


class OfEdges(nn.Module):
    """Weights of edges are computed by layers."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, 7), nn.ReLU(), nn.Linear(7, 20))
        self.c, self.out = NNConv(5, 4, self.net), nn.Linear(4, 2)

    def forward(self, x, edge_index, edge_attr, batch=None):
        return self.out(global_add_pool(torch.tanh(self.c(x, edge_index, edge_attr)), batch))


class Dense(nn.Module):
    """An adjacency matrix as a product."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(5, 8), nn.Linear(8, 2)

    def forward(self, x, adj):
        return self.b(adj @ torch.relu(adj @ self.a(x)))


def linear_layers(model):
    return {name: one for name, one in model.named_modules() if isinstance(one, (nn.Linear, pyg.nn.dense.Linear))}


def check(model, given, call):
    model.eval()
    net = ef.as_network(model, example_inputs=given)
    parts = linear_layers(model)
    assert sorted(layer.name for layer in net) == sorted(parts)
    seen = {}
    handles = [
        one.register_forward_hook(lambda _, x, y, name=name: seen.update({name: x[0]})) for name, one in parts.items()
    ]
    with torch.no_grad():
        call(model)
    for handle in handles:
        handle.remove()
    for layer, (received, _) in zip(net, net.seen, strict=True):
        np.testing.assert_array_equal(layer.weight, parts[layer.name].weight.detach().double().numpy().T)
        # On the graph as it is: no node was added.
        x = seen[layer.name]
        np.testing.assert_allclose(received, (float(x.min()), float(x.max())), rtol=1e-5, atol=1e-6)
    return net


def test_nodes_and_edges_and_a_graph_that_has_them():
    g, model = graph(), Convolving()
    for given in ((g.x, g.edge_index), {"x": g.x, "edge_index": g.edge_index}, g):
        net = check(model, given, lambda m: m(g.x, g.edge_index))
        assert net[0].in_range is None
        assert net.ranges()[0][0] == (0.0, 1.0)


def test_a_batch_of_graphs_as_a_whole():
    batch = Batch.from_data_list([graph(7, 15), graph(9, 20), graph(5, 11)])
    check(OnData(), batch, lambda m: m(batch))


def test_a_batch_of_a_loader_whose_parts_the_model_names():
    batch = next(iter(pyg.loader.DataLoader([graph(7, 15), graph(9, 20)], batch_size=2)))
    check(OfEdges(), batch, lambda m: m(batch.x, batch.edge_index, batch.edge_attr, batch.batch))


def test_layers_of_edges():
    g = graph()
    check(OfEdges(), (g.x, g.edge_index, g.edge_attr), lambda m: m(g.x, g.edge_index, g.edge_attr))


@pytest.mark.parametrize("sparse", [False, True])
def test_an_adjacency_matrix_is_taken_as_it_is(sparse):
    x, adj = torch.rand(9, 5), (torch.rand(9, 9) > 0.5).float()
    adj = adj.to_sparse() if sparse else adj
    check(Dense(), (x, adj), lambda m: m(x, adj))


@pytest.mark.parametrize("make", [lambda: GraphSAGE(5, 8, 2, 3), lambda: GAT(5, 8, 2, 3)])
def test_models_of_torch_geometric(make):
    g = graph()
    check(make(), (g.x, g.edge_index), lambda m: m(g.x, g.edge_index))
