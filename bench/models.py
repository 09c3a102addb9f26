"""What reading other people's models takes: share of parameters measured, CPU time, memory; a Markdown table.

    python bench/models.py [PACKAGE or MODEL ...]

The models are those that the tests read (tests/other_models.py), small but of the real classes, with random weights.
Each has a process of its own, so that its memory is its own, and what is loaded once is loaded before.
"""

import json
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "tests"))

import other_models
import torch

import ei_fast as ef

PACKAGES: dict[str, Callable[[], dict[str, Callable[[], Any]]]] = {
    "transformers": other_models.of_transformers,
    "x_transformers": other_models.of_x_transformers,
    "torch_geometric": other_models.of_torch_geometric,
    "torch": other_models.of_torch,
    "skorch": other_models.of_skorch,
    "keras.applications": other_models.of_keras,
}


def peak(key: str) -> float:
    """`VmRSS` or `VmHWM` of this process, MiB."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) / 2**10 for line in lines if line.startswith(key))


def one(package: str, name: str) -> None:
    """Read a model and print what that took, as JSON."""
    warnings.simplefilter("ignore")
    ef.as_network(torch.nn.Linear(3, 2), example_inputs=torch.rand(4, 3))
    if package == "keras.applications":
        import keras

        ef.as_network(keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2)]))
    made = PACKAGES[package]()[name]()
    model, inputs = made if isinstance(made, tuple) else (made, None)
    # What was the most until now is forgotten.
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    before, started = peak("VmRSS"), time.process_time()
    network = ef.as_network(model, example_inputs=inputs)
    seconds = time.process_time() - started
    count = network.parameters
    assert count is not None
    print(json.dumps([len(network), count.total, count.share, seconds, peak("VmHWM") - before]))


def row(package: str, name: str) -> str:
    """A line of the table: what a process of its own prints, or how it ended."""
    done = subprocess.run([sys.executable, __file__, "--one", package, name], capture_output=True, text=True)
    if done.returncode:
        return f"| {package} | {name} | {(done.stderr.strip().splitlines() or ['ended by the system'])[-1]} | | | | |"
    layers, total, share, seconds, memory = json.loads(done.stdout.splitlines()[-1])
    return f"| {package} | {name} | {layers} | {total:,} | {share:.1%} | {seconds:.1f} | {memory:,.0f} |"


def main(wanted: list[str]) -> None:
    """Print the table of all models, or of those whose packages or names are wanted."""
    print("| package | model | layers | parameters | measured | CPU seconds | MiB above the model |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for package, models in PACKAGES.items():
        for name in models():
            if not wanted or package in wanted or name in wanted:
                print(row(package, name), flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(*sys.argv[2:])
    else:
        main(sys.argv[1:])
