"""What recording adds to a PyTorch training: the network of the paper on MNIST, with and without a recorder.

    python bench/recording.py [EPOCHS]

Every training has a process of its own, which loads what is compiled at its first record; they alternate, since a
machine's speed drifts. Beside the difference of their times, which is as noisy as they are, stands what the recorder
itself took: the time spent in `record`, as part of the rest of the training.
"""

import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from itertools import pairwise
from statistics import median
from typing import Any

import torch
from torch.utils.data import DataLoader, TensorDataset

import ei_fast as ef
from ei_fast.demo.data import mnist

ROUNDS = 3
BARE = "bare"
RECORDERS: dict[str, dict[str, Any]] = {
    "every 10th epoch": {"every": 10},
    "time_budget=0.05": {"time_budget": 0.05},
}


def train(epochs: int, record: Callable[..., Any] | None = None) -> float:
    """Seconds of a training of 25→6→6→6→5."""
    torch.manual_seed(0)
    data = mnist(0)
    rows = TensorDataset(*(torch.tensor(part).float() for part in (data.train_inputs, data.train_targets)))
    loader = DataLoader(rows, batch_size=50, shuffle=True)
    widths = (25, 6, 6, 6, 5)
    layers = [torch.nn.Linear(n_in, n_out, bias=False) for n_in, n_out in pairwise(widths)]
    model = torch.nn.Sequential(*(part for layer in layers for part in (layer, torch.nn.Sigmoid())))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    started = time.perf_counter()
    for epoch in range(epochs):
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss = ((model(inputs) - targets) ** 2).sum()
            loss.backward()
            optimizer.step()
        if record is not None:
            record(model, step=epoch, loss=loss.item())
    return time.perf_counter() - started


def one(name: str, epochs: int) -> None:
    """Print the seconds of one training, those spent in `record`, and the number of records."""
    warnings.simplefilter("ignore")
    if name == BARE:
        print(train(epochs), 0.0, 0)
        return
    recorder = ef.Recorder(ef.EffectiveInformation(random_state=0), **RECORDERS[name])
    spent = 0.0

    def record(*args: Any, **metrics: Any) -> None:
        nonlocal spent
        started = time.perf_counter()
        recorder.record(*args, **metrics)
        spent += time.perf_counter() - started

    print(train(epochs, record), spent, len(recorder.trajectory_))


def main(epochs: int) -> None:
    """Print a line for each training, and then one for each recorder."""

    def run(name: str, epochs: int) -> tuple[float, ...]:
        command = [sys.executable, __file__, str(epochs), name]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return tuple(map(float, printed.split()))

    # Compiles, once on a machine.
    run("every 10th epoch", 1)
    runs: dict[str, list[tuple[float, ...]]] = {name: [] for name in (BARE, *RECORDERS)}
    for _ in range(ROUNDS):
        for name, done in runs.items():
            done.append(run(name, epochs))
            total, spent, records = done[-1]
            print(f"{name}: {total:.1f} s, of which {spent:.2f} s in {records:.0f} records", flush=True)
    bare = median(total for total, _, _ in runs[BARE])
    for name in RECORDERS:
        added = median(total for total, _, _ in runs[name]) / bare - 1
        own = [spent / (total - spent) for total, spent, _ in runs[name]]
        print(f"{name}: {added:+.1%} by the clock; in record {median(own):.1%}, at most {max(own):.1%}")


if __name__ == "__main__":
    epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    if len(sys.argv) > 2:
        one(sys.argv[2], epochs)
    else:
        main(epochs)
