"""Figures of a varied set of measurements, to the last bit: what must not move while the code is rewritten.

python tests/golden/record.py record golden.json        # with the code as it is
python tests/golden/record.py compare golden.json       # after a change, on the same machine
python tests/golden/record.py record-more more.json     # the cases of `more_cases`, in a file of their own
python tests/golden/record.py compare-more more.json

python tests/golden/record.py record-figures tests/golden/figures.json

records the cases of `cheap_cases` in decimal numbers, which `tests/test_golden.py` compares on any machine. That file
says when recording them anew is allowed. Fields that were not there when a file was recorded are not compared.
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


def of_recorded(found: Any, expected: Any) -> Any:
    """What was found, less the fields that no one had when the figures were recorded: these are new, and not changed.

    A field that was recorded and is no longer found stays missing, so that a comparison fails.
    """
    if isinstance(found, dict) and isinstance(expected, dict):
        return {name: of_recorded(of_name, expected[name]) for name, of_name in found.items() if name in expected}
    if isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        return [of_recorded(*pair) for pair in zip(found, expected, strict=True)]
    return found


def plain(value: Any) -> Any:
    """Numbers as hexadecimal, arrays as hashes: equal only where every bit is."""
    if isinstance(value, dict):
        return {name: plain(of_name) for name, of_name in value.items()}
    if isinstance(value, np.ndarray):
        return [list(value.shape), hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()]
    if isinstance(value, (bool, np.bool_, str, type(None))):
        return value if not isinstance(value, np.bool_) else bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value).hex()
    if isinstance(value, (list, tuple)):
        return [plain(element) for element in value]
    raise TypeError(type(value))


def report(model: Any, **params: Any) -> Any:
    found = ef.analyze(model, **({"random_state": 0} | params))
    return [{field.name: getattr(layer, field.name) for field in fields(layer)} for layer in found]


def group(layer: Any, inputs: Any, outputs: Any, **params: Any) -> Any:
    found = ef.effective_information(layer, inputs, outputs, **({"random_state": 0} | params))
    return [found.value, found.stderr, found.interval, found.flags]


def swept(model: Any, **params: Any) -> Any:
    """The columns that a sweep has had since it was first recorded, row by row."""
    names = [
        "in_bins",
        "out_bins",
        "layer",
        "ei",
        "ei_stderr",
        "sensitivity",
        "degeneracy",
        "ei_parts",
        "phi_ff",
        "flags",
    ]
    return [list(row) for row in ef.bin_sweep(model, **params)[names].itertuples(index=False)]


def trajectory(found: ef.Trajectory) -> Any:
    frame = found.to_frame()
    return {name: list(frame[name]) for name in frame}


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
        yield f"sensitivity {pairwise}", lambda b=settings: ef.sensitivity_matrix(layer, **b)
        yield f"parts {pairwise}", lambda b=settings: ef.ei_parts_matrix(layer, **b)
    x, y = np.random.default_rng(0).normal(size=(2, 500))
    for entropy in ENTROPIES:
        yield (
            f"mutual information {entropy}",
            lambda entropy=entropy: ef.mutual_information(x, x + y, entropy=entropy),
        )
    yield (
        "sweep",
        lambda: swept(chain, bins=(4, (6, 12)), random_state=0),
    )
    for ranges in ("each", "first"):
        yield f"trajectory {ranges}", lambda ranges=ranges: trajectory(recorded(ranges=ranges))
    yield "remeasured", lambda: trajectory(recorded().remeasure(ranges="all", bins=6))
    yield "batch", lambda: merged(2, 1800.0)
    yield "batch split", lambda: merged(4, 0.005)
    yield "batch split drop", lambda: merged(3, 0.005, out_of_range="drop", out_range=(0.1, 0.95))
    yield "batch split histogram", lambda: merged(3, 0.02, pairwise="histogram", n_samples=20_000)
    yield "batch split plugin", lambda: merged(3, 0.001, joint="plugin", n_samples=20_000)


def more_cases() -> Iterator[tuple[str, Callable[[], Any]]]:
    """Cases beside those of `cases`, whose file stays comparable without them."""
    for name in ("prelu", "mish", "log_sigmoid", "hard_silu"):
        layer = ef.Layer(weights(5, 3, 1.5), bias=[0.2, -0.1, 0.4], activation=name)
        yield f"{name} clip", lambda layer=layer: report(layer, in_range=(-1, 1))
        yield (
            f"{name} drop",
            lambda layer=layer: report(layer, in_range=(-1, 1), out_range=(-0.3, 0.4), out_of_range="drop"),
        )
    approximate = ef.Activation("gelu", approximate="tanh")
    yield "approximate gelu", lambda: report(ef.Layer(weights(4, 3, 2.0), activation=approximate))
    slope = ef.Activation("leaky_relu", negative_slope=0.3)
    yield "leaky relu of another slope", lambda: report(ef.Layer(weights(4, 3, 2.0), activation=slope))
    layer = ef.Layer(weights(6, 4, 2.0))
    for bins in (2, (3, 5), (64, 2), (2, 200)):
        yield f"bins {bins}", lambda bins=bins: report(layer, bins=bins)
    for n_samples in (256, 512, 1024):
        for drop in ("clip", "drop"):
            settings = {"n_samples": n_samples, "out_of_range": drop, "out_range": (0.2, 0.8)}
            yield f"{n_samples} points {drop}", lambda b=settings: report(layer, **b)
            yield (
                f"{n_samples} points in histograms {drop}",
                lambda b=settings: report(layer, pairwise="histogram", **b),
            )
    # More states than samples: brackets, also where samples are dropped and where other estimators are asked for.
    undersampled = ef.Layer(weights(30, 20, 2.0, 4), activation="tanh")
    for entropy in ("auto", *ENTROPIES):
        settings = {"n_samples": 4096, "pairwise": "none", "entropy": entropy}
        yield f"undersampled {entropy}", lambda b=settings: report(undersampled, **b)
        yield (
            f"undersampled {entropy} drop",
            lambda b=settings: report(undersampled, out_of_range="drop", out_range=(-0.999, 0.999), **b),
        )
        yield (
            f"undersampled plugin {entropy}",
            lambda b=settings: report(undersampled, joint="plugin", **b),
        )
    # Few cells that move, and outputs that hardly leave a bin.
    rare = ef.Layer(np.ones((6, 2)), [-5.0, -3.3])
    yield "few cells move", lambda: report(rare, bins=(8, 2))
    yield "few cells move, few points", lambda: report(rare, bins=(8, 2), n_samples=512)
    yield "one output", lambda: report(ef.Layer(np.ones((12, 1)), [-6.0]), bins=(128, 2))
    # What is left out of a component: repeated outputs, outputs that stay in their bin, inputs without a weight.
    repeated = weights(6, 5, 2.0)
    repeated[:, 3], repeated[2], repeated[:, 4] = repeated[:, 0], 0.0, 1e-9
    yield "repeated outputs", lambda: report(ef.Layer(repeated))
    yield "plugin drop", lambda: report(layer, joint="plugin", out_of_range="drop", out_range=(0.3, 0.7))
    yield "baseline drop", lambda: report(layer, baseline=-0.2, out_of_range="drop", out_range=(0.3, 0.7))
    yield "baseline histogram", lambda: report(layer, baseline=0.7, pairwise="histogram", n_samples=8192)
    yield "large numbers", lambda: report(ef.Layer(weights(5, 3, 1e200), activation="relu"))
    chain = [
        ef.Layer(weights(6, 5, 1.5, 1), activation="relu"),
        ef.Layer(weights(5, 4, 1.0, 2), activation="silu"),
        ef.Layer(weights(4, 3, 1.0, 3), activation="linear"),
    ]
    for baseline in (0.0, 0.5):
        settings = {"out_range": "neuron", "baseline": baseline}
        yield f"ranges neuron, baseline {baseline}", lambda b=settings: report(chain, **b)
        yield (
            f"ranges neuron, baseline {baseline}, histogram",
            lambda b=settings: report(chain, pairwise="histogram", n_samples=8192, **b),
        )
    yield "ranges neuron, plugin", lambda: report(chain, out_range="neuron", joint="plugin", n_samples=20_000)
    yield "a range of each layer", lambda: report([ef.Layer(weights(4, 3, 2.0), out_range=(0.2, 0.9)), *chain[2:]][:1])
    own_range = ef.Layer(weights(4, 3, 2.0), in_range=(-2.0, 0.5))
    yield "an input range of its own", lambda: report(own_range)
    begins_anew = ef.Network([own_range, ef.Layer(weights(7, 2, 1.0), in_range=(-1.0, 1.0))], restarts=[1])
    yield "restarts", lambda: report(begins_anew)
    function = ef.Function(twisted, 3, 2, (-1.0, 1.0))
    yield "function and layer", lambda: report([ef.Layer(weights(4, 3, 1.0), activation="tanh"), function])
    yield "function without edges", lambda: report(function, pairwise="none", n_samples=512)
    wide = ef.Function(lambda x: np.tanh(x @ weights(30, 12, 1.0, 4)), 30, 12, (-1.0, 1.0))
    yield "undersampled function", lambda: report(wide, n_samples=2048, pairwise="none")
    yield (
        "undersampled function drop",
        lambda: report(wide, n_samples=2048, pairwise="none", out_range=(-0.9, 0.9), out_of_range="drop"),
    )
    for entropy in ENTROPIES:
        yield f"group {entropy}", lambda entropy=entropy: group(layer, [0, 1], [1, 2], entropy=entropy)
    yield "group of few points", lambda: group(layer, [1], None, n_samples=512)
    yield "group of a chain", lambda: group(ef.Network(chain).between(0, 2), [0, 1], [2], n_samples=4096)
    for state in (np.random.SeedSequence(3), 2**40):
        yield f"random state {type(state).__name__}", lambda state=state: report(layer, random_state=state)
    x, y = np.random.default_rng(1).normal(size=(2, 40))
    for entropy in ENTROPIES:
        settings = {"entropy": entropy, "bins": (3, 5), "range": ((-2.0, 2.0), (-1.0, 3.0))}
        yield f"mutual information of few {entropy}", lambda b=settings: ef.mutual_information(x, x + y, **b)
    for ranges in ("all", "each"):
        yield f"remeasured {ranges}", lambda ranges=ranges: trajectory(recorded().remeasure(ranges=ranges, tol=0.05))


PROFILED = ("ei", "synergy", "redundancy_degree", "vulnerability_degree", "output_redundancy_degree")
PROFILED_NEURONS = ("input_information", "conditional_information", "output_information")


def profile(model: Any, **params: Any) -> Any:
    """Figures of a profile with errors and intervals, its flags, and how many points it took."""
    found = ef.information_profile(model, **({"random_state": 0} | params))
    names = [name + end for name in (*PROFILED, *PROFILED_NEURONS) for end in ("", "_stderr", "_interval")]
    return {name: getattr(found, name) for name in names} | {"flags": list(found.flags)}


def public(found: Any) -> Any:
    """Arrays, numbers and texts among the fields of a result."""
    named = {field.name: getattr(found, field.name) for field in fields(found)}
    return {name: value for name, value in named.items() if isinstance(value, (np.ndarray, float, int, str))}


def newer_cases() -> Iterator[tuple[str, Callable[[], Any]]]:
    """Scored states, profiles, ablations, noise-form EI."""
    few = {"pairwise": "none", "effort": 0.02}
    # Not of chains, which branch by the last digits of numbers and so differ from processor to processor.
    yield "gaussian (25, 6)", lambda: report(weights(25, 6, 1.0), joint="gaussian", **few)
    yield "gaussian (6, 8)", lambda: report(weights(6, 8, 2.0), joint="gaussian", **few)
    given = {"joint": "gaussian", "n_samples": 600, "pairwise": "none"}
    yield "gaussian of given points", lambda: report(weights(12, 4, 1.0), **given)
    yield "profile of every cell", lambda: profile(weights(3, 2, 2.0), tol=0.05)
    yield "profile of drawn cells", lambda: profile(weights(9, 3, 2.0), tol=0.1, bins=4)
    yield "profile of given points", lambda: profile(weights(8, 3, 2.0), n_samples=20_000)
    yield "profile of one output", lambda: profile(weights(6, 1, 2.0), tol=0.05)
    yield "profile in blocks", lambda: profile(np.kron(np.eye(2), weights(5, 2, 2.0)), n_samples=20_000)
    wide = ef.Function(lambda x: np.tanh(x @ weights(14, 12, 1.0, 4)), 14, 12, (-1.0, 1.0))
    yield "bounds of a profile", lambda: profile(wide, n_samples=4096)
    for what in ("inputs", "outputs", "edges"):
        yield (
            f"ablation of {what}",
            lambda what=what: public(ef.ablation(weights(9, 3, 1.0), what, random_state=0, tol=0.1, bins=4)),
        )
    yield "ablation of a value", lambda: public(ef.ablation(weights(8, 2, 1.0), held_at=0.5, random_state=0, tol=0.1))
    for activation in ("tanh", "leaky_relu", "elu"):
        layer = ef.Layer(weights(4, 6, 1.0), activation=activation, in_range=(-1.0, 1.0))
        yield f"noise {activation}", lambda layer=layer: public(ef.jacobian_ei(layer, 0.1, random_state=0, tol=0.1))
    yield "noise far apart", lambda: public(ef.jacobian_ei(ef.Layer(weights(2, 3, 20.0)), 0.1, random_state=0, tol=0.1))


# For `tests/test_golden.py`: every kind of layer, measure and method, each in a case of about 0.1 s at the most.
CHEAP = (
    *("linear (2, 2) clip", "sigmoid (7, 3) clip", "relu (1, 3) drop", "gelu (2, 2) drop", "hardtanh (7, 3) clip"),
    *("300 points (9, 4) drop", "5000 points (2, 3) clip", "grassberger auto histogram (3, 2)"),
    *("chao-shen plugin exact (8, 4)", "miller-madow tol drop", "rare drop", "no edges", "loose", "bins", "baseline"),
    *("small numbers", "still", "never kept", "components clip", "components drop n_samples", "ranges neuron"),
    *("ranges hull drop", "function two inputs clip", "function five inputs drop", "own activation", "patch"),
    *("group [0, 3] [1] clip", "group [2] None clip", "group in blocks", "group plugin", "sensitivity histogram"),
    *("parts exact", "mutual information chao-shen", "sweep", "trajectory each", "remeasured", "batch"),
    *("256 points clip", "undersampled auto", "undersampled auto drop", "undersampled plugin plugin", "few cells move"),
    *("repeated outputs", "restarts", "undersampled function", "group of few points", "one output"),
    *(name for name, _ in newer_cases()),
)


def cheap_cases() -> Iterator[tuple[str, Callable[[], Any]]]:
    """The cases named in `CHEAP`, in its order."""
    found = dict(cases()) | dict(more_cases()) | dict(newer_cases())
    yield from ((name, found[name]) for name in CHEAP)


def decimal(value: Any) -> Any:
    """What JSON can hold of a case's figures, numbers in decimal."""
    if isinstance(value, dict):
        return {name: decimal(of_name) for name, of_name in value.items()}
    if isinstance(value, (np.ndarray, np.generic)):
        return decimal(value.tolist())
    if isinstance(value, (list, tuple)):
        return [decimal(element) for element in value]
    # Flags are members of an enumeration of texts.
    return str(value) if isinstance(value, str) else value


def record_figures(path: Path) -> None:
    """Write the figures of `cheap_cases`, a line to each case."""
    lines = [f"{json.dumps(name)}: {json.dumps(decimal(measured()))}" for name, measured in cheap_cases()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def main(verb: str, path: Path) -> int:
    if verb == "record-figures":
        record_figures(path)
        return 0
    found = {}
    for name, measured in (more_cases if verb.endswith("-more") else cases)():
        assert name not in found, name
        found[name] = plain(measured())
    if verb.startswith("record"):
        path.write_text(json.dumps(found, sort_keys=True), encoding="utf-8")
        return 0
    expected = json.loads(path.read_text(encoding="utf-8"))
    names = expected.keys() | found.keys()
    differing = sorted(name for name in names if expected.get(name) != of_recorded(found.get(name), expected.get(name)))
    for name in differing:
        print("differs:", name)
    print(f"{len(found) - len(differing)} of {len(expected)} cases are equal to the last bit")
    return bool(differing)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
