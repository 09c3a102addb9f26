"""Every expert of a mixture is a dense layer of its own, compared with the model on the rows that are sent to it."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import ei_fast as ef

transformers = pytest.importorskip("transformers")

E, H, INNER = 4, 16, 24
SIZES = {
    **{
        "vocab_size": 50,
        "hidden_size": H,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": INNER,
    },
    **{"num_key_value_heads": 2, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "head_dim": 8},
    **{"max_position_embeddings": 32, "num_experts_per_tok": 2, "moe_intermediate_size": INNER, "top_k": 2},
}
MIXTURES = {
    "Mixtral": {"num_local_experts": E},
    "Qwen2Moe": {"num_experts": E, "shared_expert_intermediate_size": 8},
    "Qwen3Moe": {"num_experts": E},
    "Olmoe": {"num_experts": E},
}


def _tokens(n=4):
    return torch.randint(3, 50, (n, 9), generator=torch.Generator().manual_seed(0))


def _model(kind, **more):
    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(**SIZES, **MIXTURES.get(kind, {}), **more)
    return getattr(transformers, f"{kind}Model")(config).eval()


def _experts(model):
    """Name and module of what holds the experts' weights."""
    return next((name, module) for name, module in model.named_modules() if hasattr(module, "gate_up_proj"))


def _matrix(weight):
    return weight.detach().double().numpy().T


@pytest.mark.parametrize("kind", MIXTURES)
def test_weights_are_the_models(kind):
    model = _model(kind)
    name, experts = _experts(model)
    layers = {layer.name: layer for layer in ef.as_network(model, example_inputs=_tokens())}
    for k in range(E):
        for what in ("gate_up_proj", "down_proj"):
            layer = layers[f"{name}.{what}.{k}"]
            np.testing.assert_array_equal(layer.weight, _matrix(getattr(experts, what)[k]))
            assert not layer.bias.any()


def test_all_that_is_no_norm_is_counted():
    model = _model("Mixtral")
    counted = ef.as_network(model, example_inputs=_tokens()).parameters
    assert {kind for kind, *_ in counted.others} == {"MixtralRMSNorm"}
    norms = sum(one.numel() for name, one in model.named_parameters() if "norm" in name)
    assert counted.measured >= counted.total - counted.embeddings - norms


def test_layers_in_a_row_make_what_the_model_makes():
    model = _model("Mixtral")
    name, experts = _experts(model)
    layers = {layer.name: layer for layer in ef.as_network(model, example_inputs=_tokens())}
    seen = {}
    experts.register_forward_hook(lambda _, args, out: seen.update(args=args, out=out))
    with torch.no_grad():
        model(_tokens())
    x, chosen, shares = (one.double().numpy() for one in seen["args"])
    expected = np.zeros_like(x)
    for row, (ks, weights) in enumerate(zip(chosen.astype(int), shares, strict=True)):
        for k, share in zip(ks, weights, strict=True):
            gate, up = np.split(layers[f"{name}.gate_up_proj.{k}"](x[row : row + 1]), 2, axis=1)
            inner = gate / (1 + np.exp(-gate)) * up
            expected[row] += share * layers[f"{name}.down_proj.{k}"](inner)[0]
    np.testing.assert_allclose(seen["out"].numpy(), expected, atol=1e-5)


def test_an_expert_to_which_nothing_is_sent_is_measured_too():
    model = _model("Mixtral")
    name, experts = _experts(model)
    with torch.no_grad():
        model.layers[0].mlp.gate.weight.zero_()
    sent = set()
    experts.register_forward_pre_hook(lambda _, args: sent.update(args[1].flatten().tolist()))
    with torch.no_grad():
        model(_tokens())
    assert len(sent) < E
    layers = {layer.name: layer for layer in ef.as_network(model, example_inputs=_tokens())}
    for k in range(E):
        np.testing.assert_array_equal(layers[f"{name}.gate_up_proj.{k}"].weight, _matrix(experts.gate_up_proj[k]))


class Grouped(nn.Module):
    """Rows sent to experts by their first number, and a layer behind."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.randn(3, 8, 4))
        self.out = nn.Linear(4, 2)

    def forward(self, x):
        groups = (x[:, 0] * 3).long().clamp(0, 2)
        order = groups.argsort()
        ends = F.one_hot(groups, 3).sum(0).cumsum(0).to(torch.int32)
        made = F.grouped_mm(x[order], self.w, offs=ends)
        return self.out(made[order.argsort()])


def test_a_module_of_ones_own_and_what_is_measured_of_it():
    torch.manual_seed(0)
    model = Grouped()
    net = ef.as_network(model, example_inputs=torch.rand(60, 8))
    assert [layer.name for layer in net] == ["w.0", "w.1", "w.2", "out"]
    for k in range(3):
        np.testing.assert_array_equal(net[k].weight, model.w[k].detach().double().numpy())
    assert not any("grouped_mm" in reason for _, reason in net.skipped)


def test_the_range_of_every_experts_inputs_is_that_of_all_rows():
    torch.manual_seed(0)
    net = ef.as_network(Grouped(), example_inputs=torch.rand(60, 8))
    assert len({str(inputs) for inputs, _ in net.ranges()[:3]}) == 1
