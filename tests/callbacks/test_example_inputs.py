"""Callbacks record models that are read on example inputs, over ranges that are seen with them."""

import keras
import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from lightning_models import trainer_of
from torch import nn

import ei_fast as ef
from ei_fast.callbacks.keras import RecorderCallback as KerasCallback
from ei_fast.callbacks.lightning import RecorderCallback

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),
]
SEEN = {"in_range": "seen", "out_range": "seen", "random_state": 0, "tol": 0.5, "bins": 4}
IDS = torch.randint(9, (12, 5), generator=torch.Generator().manual_seed(0))


class Tokens(pl.LightningModule):
    """A classifier of tokens."""

    def __init__(self):
        super().__init__()
        self.table, self.a, self.b = nn.Embedding(9, 4), nn.Linear(4, 3), nn.Linear(3, 2)

    def forward(self, ids):
        return self.b(torch.relu(self.a(self.table(ids))).mean(1))

    def training_step(self, batch, _):
        ids, labels = batch
        return nn.functional.cross_entropy(self(ids), labels)

    def train_dataloader(self):
        return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(IDS, IDS[:, 0] % 2), batch_size=4)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def test_lightning_takes_a_batch_of_its_loader(tmp_path):
    module = Tokens()
    batch = next(iter(module.train_dataloader()))
    callback = RecorderCallback(ef.EffectiveInformation(**SEEN), example_inputs=batch)
    trainer_of(callback, 2, tmp_path).fit(module)
    trajectory = callback.recorder.trajectory_
    assert trajectory.layers == ("a", "b")
    assert trajectory.steps.tolist() == [0, 1]
    last = ef.analyze(module, example_inputs=batch, **SEEN)
    assert trajectory.ei[-1].tolist() == [layer.ei for layer in last]
    vectors = module.table.weight[batch[0]].detach()
    assert last[0].in_range == pytest.approx((float(vectors.min()), float(vectors.max())), rel=1e-6)


def test_keras_takes_several_inputs():
    a, b = keras.Input((4,), name="a"), keras.Input((2,), name="b")
    joined = keras.layers.Concatenate()([keras.layers.Dense(3, "relu")(a), keras.layers.Dense(3, "tanh")(b)])
    model = keras.Model([a, b], keras.layers.Dense(1)(joined))
    rng = np.random.default_rng(0)
    x = [rng.random((12, 4)), rng.random((12, 2))]
    model.compile("sgd", "mse")
    callback = KerasCallback(ef.EffectiveInformation(**SEEN), example_inputs=x)
    model.fit(x, np.ones((12, 1)), epochs=2, verbose=0, callbacks=[callback])
    trajectory = callback.recorder.trajectory_
    assert len(trajectory) == 2
    assert trajectory.ei[-1].tolist() == [layer.ei for layer in ef.analyze(model, example_inputs=x, **SEEN)]
