"""One callback in Lightning's trainer, one call for a page to step through."""

import lightning.pytorch as pl
import torch
from sklearn.datasets import load_iris

import ei_fast as ef
from ei_fast.callbacks.lightning import RecorderCallback


class Classifier(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3))

    def forward(self, x):
        return self.net(x)

    def training_step(self, batch, _):
        x, y = batch
        loss = torch.nn.functional.cross_entropy(self(x), y)
        self.log("loss", loss, on_step=False, on_epoch=True)
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.02)


pl.seed_everything(0)
inputs, labels = (torch.tensor(part) for part in load_iris(return_X_y=True))
data = torch.utils.data.TensorDataset(inputs.float() / 8, labels)
callback = RecorderCallback(ef.EffectiveInformation(random_state=0), every=2)
trainer = pl.Trainer(max_epochs=30, accelerator="cpu", callbacks=[callback], logger=False, enable_checkpointing=False)
trainer.fit(Classifier(), torch.utils.data.DataLoader(data, batch_size=15, shuffle=True))

ef.animate_causal_plane(callback.recorder.trajectory_, "lightning_trainer.html")
