"""Models of other packages: nearly all of their parameters are measured, and each layer is the module's own."""

import numpy as np
import other_models
import pytest
from torch import nn

import ei_fast as ef

# Of all parameters but embeddings. GAT weighs its edges by scores that it adds up by itself.
LESS = {"GAT": 0.9}
# A few in every run, the others in the slow one.
FAST = {"Bert", "GPT2", "Llama", "ViT", "Wav2Vec2", "LSTM", "GRU", "TransformerEncoder", "GIN", "MLP", "decoder"}


def _models():
    packages = {
        "transformers": other_models.of_transformers,
        "x_transformers": other_models.of_x_transformers,
        "torch_geometric": other_models.of_torch_geometric,
        "torch": other_models.of_torch,
        "skorch": other_models.of_skorch,
    }
    for package, models in packages.items():
        pytest.importorskip(package)
        for name, make in models().items():
            yield pytest.param(name, make, id=name, marks=[] if name in FAST else [pytest.mark.slow])


@pytest.mark.parametrize(("name", "make"), _models())
@pytest.mark.filterwarnings("ignore")
def test_nearly_all_parameters_are_measured(name, make):
    model, called_with = make()
    network = ef.as_network(model, example_inputs=called_with)
    # A net of skorch holds the module.
    model = getattr(model, "module_", model)
    # Every layer was compared with the model; here, that what is counted is what the modules hold.
    count = network.parameters
    assert count.total == sum(parameter.numel() for parameter in model.parameters())
    assert count.share >= LESS.get(name, 0.95)
    layers = {layer.name: layer for layer in network if isinstance(layer, ef.Layer)}
    for place, module in model.named_modules():
        if type(module) is nn.Linear and place in layers:
            _assert_of_module(layers[place], module)


def _assert_of_module(layer, module):
    """The weights of a layer are those of its module, each input perhaps times what was scaled before it."""
    own = module.weight.detach().numpy().T.astype(float)
    assert layer.weight.shape == own.shape
    scale = (layer.weight * own).sum(axis=1, keepdims=True) / (own**2).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(layer.weight, scale * own, rtol=1e-5, atol=1e-7)
