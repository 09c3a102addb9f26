"""Figures of a varied set of measurements, to the last bit: what must not move while the code is rewritten.

python tests/golden/record.py record golden.json      # with the code as it is
python tests/golden/record.py compare golden.json     # after a change, on the same machine
"""

import hashlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

import ei_fast as ef
from ei_fast.cluster import merge, plan, run

ACTIVATIONS = (
    *("linear", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "softplus", "relu6"),
    *("hard_sigmoid", "hardtanh", "softsign"),
)
ENTROPIES = ("plugin", "miller-madow", "grassberger", "chao-shen")


def weights(n_in: int, n_out: int, scale: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (n_in, n_out)) * scale


def plain(value: Any) -> Any:
    """Numbers as hexadecimal, arrays as hashes: equal only where every bit is."""
    if isinstance(value, np.ndarray):
        return [list(value.shape), hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()]
    if isinstance(value, (bool, np.bool_, str, type(None))):
        return value if not isinstance(value, np.bool_) else bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value).hex()
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    raise TypeError(type(value))


def report(model: Any, **params: Any) -> Any:
    found = ef.analyze(model, **({"random_state": 0} | params))
    return [{one.name: plain(getattr(layer, one.name)) for one in fields(layer)} for layer in found]


def group(layer: Any, inputs: Any, outputs: Any, **params: Any) -> Any:
    found = ef.effective_information(layer, inputs, outputs, **({"random_state": 0} | params))
    return plain([found.value, found.stderr, found.interval, found.flags])


def trajectory(found: ef.Trajectory) -> Any:
    frame = found.to_frame()
    return {name: [plain(one) for one in frame[name]] for name in frame}


def twisted(x: np.ndarray) -> np.ndarray:
    return np.stack([np.sin(3 * x[:, 0] + x[:, -1]), x[:, 0] * x[:, -1]], axis=1)


def networks_in_training(n: int = 4) -> Iterator[list[ef.Layer]]:
    for step in range(n):
        yield [
            ef.Layer(weights(8, 5, 1 + step / 3, 1), activation="relu"),
            ef.Layer(weights(5, 4, 1 + step / 3, 2), activation="tanh"),
            ef.Layer(weights(4, 3, 1 + step / 3, 3), activation="linear"),
        ]


def recorded(**params: Any) -> ef.Trajectory:
    recorder = ef.Recorder(ef.EffectiveInformation(random_state=1, bins=4), keep_weights=True, **params)
    for step, layers in enumerate(networks_in_training()):
        recorder.record(layers, step=step, loss=1.0 / (step + 1))
    return recorder.trajectory_


def merged(shards: int, longest: float, **params: Any) -> Any:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "checkpoints").mkdir()
        for step in range(3):
            blocks = np.zeros((14, 11))
            blocks[:4, :3], blocks[4:10, 3:7], blocks[10:, 7:] = (
                weights(4, 3, 1 + step, 5),
                weights(6, 4, 2 + step, 6),
                weights(4, 4, 1 + step, 7),
            )
            arrays = {"w0": blocks, "w1": weights(11, 6, 1 + step, 8), "w2": weights(6, 3, 2, 9)}
            np.savez(folder / "checkpoints" / f"step_{step}.npz", **arrays)
        estimator = ef.EffectiveInformation(random_state=4, bins=4, **params)
        plan(folder / "checkpoints", folder / "out", shards, estimator, longest=longest)
        for shard in reversed(range(shards)):
            run(folder / "out", shard)
        merge(folder / "out")
        return trajectory(ef.Trajectory.load(folder / "out" / "trajectory.npz"))


def cases() -> Iterator[tuple[str, Callable[[], Any]]]:
    """Names of the cases, and what computes each."""
    for name in ACTIVATIONS:
        for widths, scale in (((2, 2), 2.0), ((7, 3), 1.0), ((1, 3), 1.5)):
            layer = ef.Layer(weights(*widths, scale), bias=weights(1, widths[1], 0.3, 1)[0], activation=name)
            yield f"{name} {widths} clip", lambda layer=layer: report(layer, in_range=(-1, 1))
            yield (
                f"{name} {widths} drop",
                lambda layer=layer: report(layer, in_range=(-1, 1), out_range=(-0.2, 0.6), out_of_range="drop"),
            )
    for n_samples in (300, 5000, 100_000):
        for drop in ("clip", "drop"):
            for widths in ((2, 3), (9, 4)):
                settings = {"n_samples": n_samples, "out_of_range": drop, "in_range": (-1, 1), "out_range": (-0.5, 0.5)}
                layer = ef.Layer(weights(*widths, 1.0), activation="tanh")
                yield f"{n_samples} points {widths} {drop}", lambda a=layer, b=settings: report(a, **b)
    for entropy in ENTROPIES:
        for widths in ((3, 2), (8, 4)):
            layer = ef.Layer(weights(*widths, 2.0))
            for joint in ("auto", "plugin"):
                for pairwise in ("exact", "histogram"):
                    settings = {"entropy": entropy, "joint": joint, "pairwise": pairwise, "n_samples": 30_000}
                    yield f"{entropy} {joint} {pairwise} {widths}", lambda a=layer, b=settings: report(a, **b)
        settings = {"entropy": entropy, "pairwise": "histogram", "out_of_range": "drop", "out_range": (0.3, 0.7)}
        layer = ef.Layer(weights(6, 3, 2.0))
        yield f"{entropy} tol drop", lambda a=layer, b=settings: report(a, **b)
    for name, layer in {
        "rare": ef.Layer(weights(25, 6, 0.6, 1), bias=[-1.0] * 6, activation="relu"),
        "sixty": ef.Layer(weights(60, 8, 0.3, 2)),
        "wide": ef.Layer(weights(40, 30, 0.5, 3)),
        "wider": ef.Layer(weights(100, 60, 0.2, 3), activation="tanh"),
    }.items():
        for drop in ("clip", "drop"):
            settings = {"out_of_range": drop, "out_range": (0.0, 1.0), "in_range": (-1, 1)}
            yield f"{name} {drop}", lambda a=layer, b=settings: report(a, **b)
    yield "wide plugin", lambda: report(ef.Layer(weights(40, 30, 0.5, 3)), joint="plugin")
    yield "wide histogram", lambda: report(ef.Layer(weights(20, 10, 0.5, 3)), pairwise="histogram")
    yield "no edges", lambda: report(ef.Layer(weights(5, 3, 1.0)), pairwise="none")
    yield "loose", lambda: report(ef.Layer(weights(12, 6, 1.0)), tol=0.3)
    yield "tight", lambda: report(ef.Layer(weights(6, 4, 1.0)), tol=0.0005)
    yield "bins", lambda: report(ef.Layer(weights(5, 3, 1.0)), bins=(5, 32))
    yield "baseline", lambda: report(ef.Layer(weights(5, 3, 1.0)), baseline=0.4)
    yield "small numbers", lambda: report(ef.Layer(weights(5, 3, 1e-200), activation="linear"))
    yield "still", lambda: report(ef.Layer(np.full((3, 2), 1e-9), bias=[0.3, 0.2]))
    yield (
        "never kept",
        lambda: report(ef.Layer(weights(3, 2, 1.0), bias=[50, 0]), out_range=(0.0, 0.5), out_of_range="drop"),
    )
    blocks = np.zeros((14, 12))
    blocks[:4, :3], blocks[4:10, 3:7], blocks[10:11, 7:9], blocks[11:, 9:] = (
        weights(4, 3, 1.0, 5),
        weights(6, 4, 2.0, 6),
        weights(1, 2, 2.0, 7),
        weights(3, 3, 2.0, 8),
    )
    for drop in ("clip", "drop"):
        settings = {"out_of_range": drop, "out_range": (0.1, 0.95)}
        yield f"components {drop}", lambda b=settings: report(ef.Layer(blocks), **b)
        yield f"components {drop} n_samples", lambda b=settings: report(ef.Layer(blocks), n_samples=50_000, **b)
    chain = [ef.Layer(weights(6, 5, 1.5, 1), activation="relu"), ef.Layer(weights(5, 4, 1.0, 2), activation="gelu")]
    for rule in ("auto", "hull", "neuron"):
        yield f"ranges {rule}", lambda rule=rule: report(chain, out_range=rule)
        yield f"ranges {rule} drop", lambda rule=rule: report(chain, out_range=rule, out_of_range="drop")
    for name, function in {
        "two inputs": ef.Function(twisted, 2, 2, (-1.0, 1.0)),
        "five inputs": ef.Function(twisted, 5, 2, (-1.0, 1.0)),
        "layers as one": ef.Network(chain).between(0, 1),
    }.items():
        for drop in ("clip", "drop"):
            settings = {"out_of_range": drop, "out_range": (-0.4, 0.7), "n_samples": 20_000}
            yield f"function {name} {drop}", lambda a=function, b=settings: report(a, **b)
            yield f"function {name} {drop} joint", lambda a=function, b=settings: report(a, joint="plugin", **b)
        yield f"function {name} tol", lambda a=function: report(a, tol=0.05)
        yield f"function {name} group", lambda a=function: group(a, [0], [1], n_samples=20_000)
        yield f"function {name} groups", lambda a=function: group(a, None, [0], n_samples=20_000)
    wave = ef.Activation(lambda s: np.sin(3 * s), codomain=(-1.0, 1.0))
    yield "own activation", lambda: report(ef.Layer(weights(4, 3, 1.0), activation=wave))
    patch = ef.Layer(weights(9, 4, 1.0), activation="relu", patch=(1, 3, 3))
    yield "patch", lambda: report(patch)
    layer = ef.Layer(weights(8, 5, 1.5))
    for inputs, outputs in (([0], [1]), ([0, 3], [1]), ([2], None), (None, [0, 4]), ([0, 1, 2, 3, 4], [2, 3])):
        for drop in ("clip", "drop"):
            settings = {"out_of_range": drop, "out_range": (0.2, 0.8)}
            yield f"group {inputs} {outputs} {drop}", lambda a=(inputs, outputs), b=settings: group(layer, *a, **b)
    yield "group in blocks", lambda: group(ef.Layer(blocks), [0, 5, 12], [1, 4, 10])
    yield "group plugin", lambda: group(layer, None, None, joint="plugin", n_samples=50_000)
    for pairwise in ("exact", "histogram"):
        settings = {"pairwise": pairwise, "random_state": 2}
        yield f"sensitivity {pairwise}", lambda b=settings: plain(ef.sensitivity_matrix(layer, **b))
        yield f"parts {pairwise}", lambda b=settings: plain(ef.ei_parts_matrix(layer, **b))
    x, y = np.random.default_rng(0).normal(size=(2, 500))
    for entropy in ENTROPIES:
        yield (
            f"mutual information {entropy}",
            lambda entropy=entropy: plain(ef.mutual_information(x, x + y, entropy=entropy)),
        )
    yield (
        "sweep",
        lambda: [
            [plain(one) for one in row]
            for row in ef.bin_sweep(chain, bins=(4, (6, 12)), random_state=0).itertuples(index=False)
        ],
    )
    for ranges in ("each", "first"):
        yield f"trajectory {ranges}", lambda ranges=ranges: trajectory(recorded(ranges=ranges))
    yield "remeasured", lambda: trajectory(recorded().remeasure(ranges="all", bins=6))
    yield "batch", lambda: merged(2, 1800.0)
    yield "batch split", lambda: merged(4, 0.02)
    yield "batch split drop", lambda: merged(3, 0.02, out_of_range="drop", out_range=(0.1, 0.95))
    yield "batch split histogram", lambda: merged(3, 0.02, pairwise="histogram", n_samples=20_000)
    yield "batch split plugin", lambda: merged(3, 0.001, joint="plugin", n_samples=20_000)


def main(verb: str, path: Path) -> int:
    found = {}
    for name, measured in cases():
        assert name not in found, name
        found[name] = measured()
    if verb == "record":
        path.write_text(json.dumps(found, sort_keys=True), encoding="utf-8")
        return 0
    expected = json.loads(path.read_text(encoding="utf-8"))
    differing = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    for name in differing:
        print("differs:", name)
    print(f"{len(found) - len(differing)} of {len(expected)} cases are equal to the last bit")
    return bool(differing)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
