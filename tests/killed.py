"""Trainings that are killed: run by a process of their own, so importable by name."""

import os
from pathlib import Path

import numpy as np

import ei_fast as ef

EVERY = 3


def _estimator():
    return ef.EffectiveInformation(random_state=0, bins=4, pairwise="none")


def _tell(begun, recorder):
    """Say at every epoch from the first record of this process on that it is at work."""
    if begun and hasattr(recorder, "report_"):
        begun.send(True)


def keras_training(path, epochs, begun=None):
    """Trains from the beginning each time."""
    import keras

    from ei_fast.callbacks.keras import RecorderCallback

    keras.utils.set_random_seed(0)
    inputs = np.random.default_rng(0).uniform(size=(40, 3)).astype("float32")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation="tanh"), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    callback = RecorderCallback(_estimator(), every=EVERY, path=path)
    tells = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: _tell(begun, callback.recorder))
    model.fit(inputs, inputs.sum(axis=1), 10, epochs, verbose=0, callbacks=[callback, tells])


def lightning_training(path, epochs, begun=None):
    """Goes on from its last checkpoint, which it replaces after every epoch."""
    import lightning.pytorch as pl
    import torch

    from ei_fast.callbacks.lightning import RecorderCallback

    checkpoint = Path(path).with_suffix(".ckpt")

    class Module(pl.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Tanh(), torch.nn.Linear(2, 1))

        def forward(self, x):
            return self.net(x)

        def training_step(self, batch, index):
            loss = ((self(batch) - batch.sum(1, keepdim=True)) ** 2).mean()
            self.log("loss", loss, on_step=False, on_epoch=True)
            return loss

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    class Saves(pl.Callback):
        def on_train_epoch_end(self, trainer, pl_module):
            temporary = checkpoint.with_suffix(".part")
            trainer.save_checkpoint(temporary, weights_only=False)
            os.replace(temporary, checkpoint)
            _tell(begun, callback.recorder)

    callback = RecorderCallback(_estimator(), every=EVERY, path=path)
    torch.manual_seed(0)
    loader = torch.utils.data.DataLoader(torch.rand(20, 3, generator=torch.Generator().manual_seed(0)), batch_size=10)
    trainer = pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        callbacks=[callback, Saves()],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Module(), loader, ckpt_path=checkpoint if checkpoint.exists() else None, weights_only=True)
