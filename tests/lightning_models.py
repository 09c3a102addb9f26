"""Modules of Lightning that several tests train."""

import lightning.pytorch as pl
import torch

import ei_fast as ef


class Module(pl.LightningModule):
    """Two dense layers that learn the sum of three numbers."""

    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.net = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Tanh(), torch.nn.Linear(2, 1))

    def forward(self, x):
        return self.net(x)

    def training_step(self, batch, index):
        loss = ((self(batch) - batch.sum(1, keepdim=True)) ** 2).mean()
        self.log("loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch, index):
        self.log("val_loss", ((self(batch) - batch.sum(1, keepdim=True)) ** 2).mean())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

    def train_dataloader(self):
        return torch.utils.data.DataLoader(torch.rand(20, 3, generator=torch.Generator().manual_seed(0)), batch_size=10)

    val_dataloader = train_dataloader


def trainer_of(callback, epochs, folder, **options):
    options = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False} | options
    return pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        callbacks=[callback] if isinstance(callback, pl.Callback) else callback,
        enable_model_summary=False,
        default_root_dir=folder,
        num_sanity_val_steps=0,
        log_every_n_steps=1,
        **options,
    )


def estimator_of(**params):
    return ef.EffectiveInformation(random_state=0, bins=4, **params)


class Stops(pl.Callback):
    """Breaks training off in the middle of an epoch."""

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.current_epoch == 2:
            raise RuntimeError("enough")


class Batches(pl.Callback):
    """Counts the batches of a training."""

    seen = 0

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.seen += 1
