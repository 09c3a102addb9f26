"""A PyTorch training loop, measured every fifth epoch; measures beside the losses."""

import torch
from sklearn.datasets import load_iris

import ei_fast as ef

torch.manual_seed(0)
inputs, labels = (torch.tensor(part) for part in load_iris(return_X_y=True))
data = torch.utils.data.TensorDataset(inputs.float() / 8, labels)
train, validation = torch.utils.data.random_split(data, [100, 50])
loader = torch.utils.data.DataLoader(train, batch_size=10, shuffle=True)
model = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

with ef.Recorder(ef.EffectiveInformation(random_state=0), every=5, path="pytorch_loop.npz") as recorder:
    for epoch in range(100):
        for x, y in loader:
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            x, y = validation[:]
            val_loss = torch.nn.functional.cross_entropy(model(x), y)
        recorder.record(model, step=epoch, loss=loss.item(), val_loss=val_loss.item())

ef.plot_measures(recorder.trajectory_).savefig("pytorch_loop.png", dpi=200)
