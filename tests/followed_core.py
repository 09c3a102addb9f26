"""Remedies of the measures, networks, parameters and reports, followed."""

import os
import subprocess
import sys

import numpy as np
import torch
from disks import fill, mounted
from filelock import FileLock
from followed import follows, literal
from scipy import sparse

import ei_fast as ef
from ei_fast.runtime.kernel_cache import _PYTHON
from ei_fast.warmup import warmup

QUICK = {"random_state": 0, "tol": 0.5}
FUNCTION = ef.Function(lambda x: np.tanh(x), 2, 2, (-1.0, 1.0))


@follows("Give some, as {'w0': weight}.")
def _(said):
    weight = np.ones((2, 2))
    said.refused(ef.as_network, {"frequency": 3.0})
    assert len(ef.as_network({"w0": weight})) == 1


@follows("Candidates are {}. Give order={}, or other names")
def _(said):
    for model in (
        {"head.weight": np.ones((2, 2)), "w0": 30.0},
        {"head": {"kernel": np.ones((2, 2))}, "body": {"kernel": np.ones((2, 2))}},
        {"c.weight": np.ones((2, 2, 3, 3)), "a.weight": np.ones((3, 2)), "b.weight": np.ones((1, 3))},
        {"w0": 30.0, "w1": np.ones((2, 3)), "w2": np.ones((3, 1))},
        {f"l{k}x": {"kernel": np.ones((k + 1, k + 2))} for k in range(30)} | {"other": np.ones(3)},
    ):
        order = literal(said.refused(ef.as_network, model), "Give order=")
        assert order
        assert [layer.name for layer in ef.as_network(model, order=order)] == order
        assert [layer.name for layer in ef.analyze(model, order=order, pairwise="none", **QUICK)] == order


@follows("Name a batch norm right after the dense layer that feeds it, and give norm_place=")
def _(said):
    norm = {"bn.running_mean": np.ones(2), "bn.running_var": np.ones(2)}
    model = {"a.weight": np.ones((2, 2)), **norm, "b.weight": np.ones((2, 2))}
    message = said.refused(ef.as_network, model)
    order = literal(message, "Give order=")
    assert order == ["a", "bn", "b"]
    for place in (literal(message, "give norm_place="), literal(message, " or norm_place=")):
        assert len(ef.as_network(model, order=order, norm_place=place).skipped) == 0


@follows("name that layer first, or leave the batch norm out.")
def _(said):
    norm = {"bn.running_mean": np.ones(2), "bn.running_var": np.ones(2)}
    model = {"a.weight": np.ones((2, 2)), **norm}
    said.refused(ef.as_network, model, order=["bn", "a"], norm_place="before")
    assert len(ef.as_network(model, order=["a", "bn"], norm_place="before")) == 1
    assert len(ef.as_network(model, order=["a"])) == 1


@follows("cannot be divided into {} bins that rounding tells apart. Give fewer bins, or a wider {}_range.")
def _(said):
    narrow = {"in_range": (1.0, 1.0 + 3e-15), "activation": "linear"}
    said.refused(ef.analyze, np.eye(2), bins=64, **narrow, **QUICK)
    ef.analyze(np.eye(2), bins=2, **narrow, **QUICK)
    ef.analyze(np.eye(2), bins=64, in_range=(1.0, 2.0), activation="linear", **QUICK)


@follows("give a range half as wide.")
def _(said):
    wide = 1.7e308
    for half in ((-wide / 2, wide / 2), (0.0, wide)):
        said.refused(ef.mutual_information, [0.0, 1.0], [0.0, 1.0], range=((-wide, wide), (0.0, 1.0)))
        ef.mutual_information([0.0, 1.0], [0.0, 1.0], range=(half, (0.0, 1.0)))
    said.refused(ef.analyze, np.eye(2) * 1e-9, in_range=(-wide, wide))
    ef.analyze(np.eye(2) * 1e-9, in_range=(-wide / 2, wide / 2), **QUICK)


@follows("that is larger than any float instead: scale it down.")
def _(said):
    values = [10**400, 0, 3 * 10**400]
    said.refused(ef.mutual_information, values, [0, 1, 2])
    ef.mutual_information([one // 10**399 for one in values], [0, 1, 2])


@follows("The 'layer' parameter must be a single layer.")
def _(said):
    network = ef.as_network([np.eye(2), np.eye(2)])
    said.refused(ef.effective_information, network)
    ef.effective_information(network.between(0, 1), **QUICK)


@follows("pairwise='histogram' takes n_in * n_out * in_bins * out_bins")
def _(said):
    weight = np.eye(60)
    wide = {"random_state": 0, "activation": "linear", "n_samples": 256, "joint": "gaussian"}
    said.refused(ef.analyze, weight, bins=1024, pairwise="histogram", **wide)
    ef.EffectiveInformation(bins=8, pairwise="histogram").check(weight)
    ef.EffectiveInformation(bins=1024, pairwise="exact").check(weight)
    ef.EffectiveInformation(bins=1024, pairwise="none").check(weight)


@follows("must be asked of dense layers. Got {}, which is a Function. Use 'auto' or 'histogram'.")
def _(said):
    said.refused(ef.analyze, FUNCTION, pairwise="exact")
    for pairwise in ("auto", "histogram"):
        ef.analyze(FUNCTION, pairwise=pairwise, **QUICK)


@follows("pairwise='exact' takes a table of in_bins * out_bins")
def _(said):
    said.refused(ef.EffectiveInformation(bins=30_000, pairwise="exact").check, np.eye(2))
    ef.EffectiveInformation(bins=100, pairwise="exact").check(np.eye(2))
    ef.EffectiveInformation(bins=30_000, pairwise="none").check(np.eye(2))


@follows("which is no folder. Make it first.")
def _(said):
    folder = said.folder / "new"
    said.refused(ef.analyze, np.eye(2), matrices=folder)
    folder.mkdir()
    ef.analyze(np.eye(2), matrices=folder, **QUICK)


@follows("would have one file, {}. Rename one of them.")
def _(said):
    layers = [ef.Layer(np.eye(2), name="a/b"), ef.Layer(np.eye(2), name="a:b")]
    said.refused(ef.analyze, layers, matrices=said.folder)
    ef.analyze([layers[0], ef.Layer(np.eye(2), name="c")], matrices=said.folder, **QUICK)


@follows("which holds {} already. Remove it, or give another folder.")
def _(said):
    ef.analyze(np.eye(2), matrices=said.folder, **QUICK)
    for _ in range(2):
        message = said.refused(ef.analyze, np.eye(2), matrices=said.folder)
        (said.folder / literal(message, "which holds ")).unlink()
    ef.analyze(np.eye(2), matrices=said.folder, **QUICK)
    other = said.folder / "other"
    other.mkdir()
    ef.analyze(np.eye(2), matrices=other, **QUICK)


@follows("is open to dense layers with out_of_range='clip' whose bins are intervals")
def _(said):
    for joint in ("gaussian", "annealed"):
        said.refused(ef.analyze, FUNCTION, joint=joint)
    ef.analyze(FUNCTION, joint="auto", **QUICK)


@follows("Ask for at most {} samples, or give 'tol'.")
def _(said):
    message = said.refused(ef.analyze, np.eye(2) + 1, joint="plugin", n_samples=2**40)
    most = int(message.split("Ask for at most ")[1].split()[0].replace(",", ""))
    ef.EffectiveInformation(joint="plugin", n_samples=most).check(np.eye(2) + 1)
    ef.analyze(np.eye(2) + 1, joint="plugin", **QUICK)


@follows("joint='plugin' counts the states of all inputs with those of all outputs.")
def _(said):
    said.refused(ef.effective_information, np.ones((3, 3)), inputs=[0, 1], joint="plugin")
    ef.effective_information(np.ones((3, 3)), inputs=[0, 1], joint="auto", **QUICK)


@follows("Use one of them, or pass a function of your own with its codomain.")
def _(said):
    message = said.refused(ef.Activation, "swoosh")
    known = message.split("Known are ")[1].split(". Use")[0]
    for name in known.split(", "):
        ef.Activation(name.strip("'"))
    ef.Activation(np.tanh, (-1.0, 1.0))


@follows("takes no parameters here. Got {}. Bind them beforehand.")
def _(said):
    from functools import partial

    def scaled(x, scale):
        return np.tanh(scale * x)

    said.refused(ef.Activation, scaled, (-1.0, 1.0), scale=2.0)
    ef.Activation(partial(scaled, scale=2.0), (-1.0, 1.0))


@follows("Measure an earlier checkpoint.")
def _(said):
    earlier, now = np.eye(2), np.eye(2) * np.nan
    said.refused(ef.analyze, now)
    ef.analyze(earlier, **QUICK)


@follows("sparse input is not supported. Convert it with .toarray().")
def _(said):
    weight = sparse.csr_array(np.eye(2))
    said.refused(ef.Layer, weight)
    ef.Layer(weight.toarray())


@follows("Complex data not supported: pass the real part.")
def _(said):
    weight = np.eye(2) * (1 + 1j)
    said.refused(ef.Layer, weight)
    ef.Layer(weight.real)


@follows("Read the model over it: as_network(model, in_range={}).")
def _(said):
    class Residual(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.outer = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)

        def forward(self, x):
            return self.outer(x + torch.tanh(self.inner(x)))

    model = Residual()
    network = ef.as_network(model)
    message = said.refused(network.over, (-3.0, 3.0))
    assert ef.as_network(model, in_range=literal(message, "as_network(model, in_range=")).in_range == (-3.0, 3.0)


@follows("a patch of one is made of many of the one before. Name what holds them in 'blocks' of as_network.")
def _(said):
    convolutions = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 2), torch.nn.ReLU(), torch.nn.Conv2d(2, 2, 2))
    model = torch.nn.Sequential(convolutions, torch.nn.Flatten(), torch.nn.Linear(8, 2))
    network = ef.as_network(model, input_shape=(1, 4, 4))
    said.refused(network.between, 0, 1)
    message = said.refused(ef.as_network, model, input_shape=(1, 4, 4), blocks=["0"])
    blocks = literal(message, "Give it, as blocks=")
    assert ef.as_network(model, input_shape=(1, 4, 4), blocks=blocks)[0].name == "0"


@follows("the model does something between them that is no layer. Name it in 'blocks' of as_network.")
def _(said):
    class Sum(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = torch.nn.Linear(2, 2)

        def forward(self, x):
            return x + torch.tanh(self.inner(x))

    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Tanh(), Sum(), torch.nn.Linear(2, 2))
    network = ef.as_network(model)
    said.refused(network.between, 0, len(network) - 1)
    network = ef.as_network(model, blocks={"2": (-2.0, 2.0)})
    network.between(0, len(network) - 1)


@follows("cannot be. Give it the patch and weights that the model has.")
def _(said):
    first = ef.Layer(np.ones((4, 3)), patch=(1, 2, 2))
    said.refused(ef.Network, [first, ef.Layer(np.ones((8, 2)), patch=(2, 2, 2))])
    ef.Network([first, ef.Layer(np.ones((12, 2)), patch=(3, 2, 2))])


@follows("Use ei_fast.as_network for bare arrays.")
def _(said):
    said.refused(ef.Network, [np.eye(2)])
    ef.as_network([np.eye(2)])


@follows("its pre-activations overflow on the input range {}. Scale its weights down, or give a smaller range.")
def _(said):
    weight = np.eye(2) * 1e308
    said.refused(ef.analyze, weight, in_range=(-100.0, 100.0))
    ef.analyze(weight / 1e308, in_range=(-100.0, 100.0), **QUICK)
    ef.analyze(weight, in_range=(-1e-308, 1e-308), **QUICK)


@follows("pass weight.T.")
def _(said):
    weights = [np.ones((3, 2)), np.ones((4, 3))]
    said.refused(ef.analyze, weights)
    ef.analyze([weight.T for weight in weights], **QUICK)


@follows("its outputs overflow on the input range {}. Give it an 'out_range', or a smaller input range.")
def _(said):
    cube = ef.Activation(lambda x: x**3, (-np.inf, np.inf))
    weight = np.eye(2) * 1e103
    said.refused(ef.analyze, ef.Layer(weight, activation=cube), in_range=(-10.0, 10.0))
    ef.analyze(ef.Layer(weight, activation=cube), in_range=(-1e-100, 1e-100), **QUICK)
    ef.analyze(ef.Layer(weight, activation=cube, out_range=(-1.0, 1.0)), in_range=(-10.0, 10.0), **QUICK)


@follows("Write {}")
def _(said):
    message = said.refused(ef.analyze, np.eye(2), odrer=None)
    assert ef.analyze(np.eye(2), **{literal(message, "Write "): None}, **QUICK)


@follows("Use one of {}")
def _(said):
    message = said.refused(ef.EffectiveInformation().fit, np.eye(2), zzz=1)
    named = message.split("Use one of ")[1].split(" instead")[0].split(", ")
    for name, value in {"order": None, "blocks": (), "verify": True, "input_shape": None}.items():
        assert name in named
        ef.EffectiveInformation(**QUICK).fit(np.eye(2), **{name: value})


@follows("whose measurements would all write the same files. Got {} instead. Measure one model at a time.")
def _(said):
    said.refused(ef.Recorder, ef.EffectiveInformation(matrices=str(said.folder)))
    ef.analyze(np.eye(2), matrices=said.folder, **QUICK)


@follows("Give a wider out_range, or another baseline.")
def _(said):
    said.flagged(np.eye(2) + 1, out_range=(5.0, 6.0), out_of_range="drop", activation="linear", **QUICK)
    report = ef.analyze(np.eye(2) + 1, out_range=(0.0, 6.0), out_of_range="drop", activation="linear", **QUICK)
    assert np.isfinite(report[0].ei)


@follows("Give a wider out_range, or none; record a training with ranges='each'")
def _(said):
    model = {"activation": "linear"} | QUICK
    assert "outputs outside range" in said.flagged(np.eye(2), out_range=(0.0, 0.5), **model)[0].flags
    for out_range in ((0.0, 1.0), "auto"):
        assert not any("outside" in flag for flag in ef.analyze(np.eye(2), out_range=out_range, **model)[0].flags)
    with ef.Recorder(ef.EffectiveInformation(**model), ranges="each", keep_weights=True) as recorder:
        for scale in (1.0, 3.0):
            recorder.record(np.eye(2) * scale)
    assert not any("outside" in flag for flag in recorder.report_[0].flags)
    assert not any("outside" in f for f in str(recorder.trajectory_.remeasure(ranges="all").flags))


@follows("Use out_range='auto', or 'neuron' where neurons differ in scale, or more output bins.")
def _(said):
    model = {"activation": "linear"} | QUICK
    flagged = said.flagged(np.eye(2) * 1.26, out_range=(-5.0, 5.0), **model)[0].flags
    assert "outputs in one bin" in flagged
    for better in ({"out_range": "auto"}, {"out_range": "neuron"}, {"out_range": (-5.0, 5.0), "bins": (8, 8192)}):
        assert not set(flagged) & set(ef.analyze(np.eye(2) * 1.26, **better, **model)[0].flags)


@follows("The interval leaves it out; ei_bounds does not. Use joint='auto' or 'annealed'.")
def _(said):
    weight = np.random.default_rng(0).normal(size=(4, 4))
    flagged = said.flagged(weight, joint="gaussian", **QUICK)[0].flags
    assert flagged
    for joint in ("auto", "annealed"):
        assert not set(flagged) & set(ef.analyze(weight, joint=joint, **QUICK)[0].flags)


@follows("try more output bins or another baseline.")
def _(said):
    weight = np.random.default_rng(0).normal(size=(8, 2)) * 0.3
    flagged = said.flagged(weight, **QUICK)[0].flags
    assert "sensitivity < EI" in flagged
    assert "sensitivity < EI" not in ef.analyze(weight, bins=(8, 64), **QUICK)[0].flags


@follows("cannot be read as .npz: it is damaged or of another kind ({}). Write it again.")
def _(said):
    path = said.npz("net.npz", w0=np.eye(2))
    whole = path.read_bytes()
    path.write_bytes(whole[:50])
    said.refused(ef.analyze, path)
    np.savez(path, w0=np.eye(2))
    ef.analyze(path, **QUICK)


@follows("Its entry number {} is a Python object, which could run code. Save numeric arrays with numpy.savez.")
def _(said):
    path = said.npz("net.npz", w0=np.array([[1, None]], dtype=object))
    said.refused(ef.analyze, path)
    np.savez(path, w0=np.eye(2))
    ef.analyze(path, **QUICK)


@follows("must be an .npz file with {}. Write one with numpy.savez.")
def _(said):
    from ei_fast.runtime.files import read_npz

    said.refused(read_npz, said.folder / "net.txt")
    assert list(read_npz(said.npz("net.npz", w0=np.eye(2)))) == ["w0"]


@follows("The file {} is not a {}. Give one that {}.save wrote.")
def _(said):
    path = said.npz("net.npz", w0=np.eye(2))
    message = said.refused(ef.Trajectory.load, path)
    assert "Trajectory.save" in message
    recorder = ef.Recorder(ef.EffectiveInformation(**QUICK))
    report = recorder.record(np.eye(2))
    recorder.trajectory_.save(path)
    ef.Trajectory.load(path)
    assert "Report.save" in said.refused(ef.Report.load, path)
    report.save(path)
    ef.Report.load(path)


@follows("Use 1 for no threads, -1 for all cores.")
def _(said):
    said.refused(ef.analyze, np.eye(2), n_jobs=0)
    for n_jobs in (1, -1):
        ef.analyze(np.eye(2), n_jobs=n_jobs, **QUICK)


@follows("some of whose entries are missing. Fill them in.")
def _(said):
    weight = np.ma.masked_array(np.eye(2), mask=np.eye(2) > 0)
    said.refused(ef.analyze, weight)
    ef.analyze(weight.filled(0.5), **QUICK)


@follows("The file {} is a damaged report: {}. Save it again.")
def _(said):
    path = said.folder / "report.npz"
    report = ef.analyze(np.eye(2), **QUICK)
    report.save(path)
    with np.load(path) as stored:
        arrays = dict(stored)
    np.savez(path, **{name: array for name, array in arrays.items() if name in ("kind", "format")})
    said.refused(ef.Report.load, path)
    report.save(path)
    ef.Report.load(path)


@follows("Compiled kernels cannot be kept: no folder can be written to. Set NUMBA_CACHE_DIR to one that can.")
def _(said):
    from ei_fast.runtime import kernel_cache

    with said.monkeypatch.context() as patched:
        patched.setattr(kernel_cache.KernelCache, "found", classmethod(lambda cls: None))
        said.messages.append(warmup().problem)
    said.monkeypatch.setenv("NUMBA_CACHE_DIR", str(said.folder))
    assert warmup().problem is None


@follows("The {} parameter of as_network is for {}. Got it for {}. Leave it out.")
def _(said):
    for options in ({"order": ["a"]}, {"blocks": ["a"]}, {"input_shape": (2,)}, {"example_inputs": np.ones((1, 2))}):
        said.refused(ef.analyze, np.eye(2), **options)
    ef.analyze(np.eye(2), **QUICK)


def _cold_cache(said, folder=None):
    """A cache with nothing in it, which is filled at once."""
    import ei_fast.warmup
    from ei_fast.runtime.kernel_cache import KernelCache

    class Cold(KernelCache):
        def prepare(self):
            """Nothing of another version is there."""

        def leave(self):
            """The process goes on with its own cache."""

        def _lacking(self):
            """The one file of code is whole."""
            return [] if list(self.folder.glob("*.nbi")) else [None]

    folder = folder or said.folder
    cold = Cold(folder)
    said.monkeypatch.setattr(KernelCache, "found", lambda: cold)
    # Of a marker that vouches for nothing, every line is there.
    said.monkeypatch.setattr(
        ei_fast.warmup, "_call_every_kernel", lambda: (folder / f"k.{_PYTHON}.nbi").write_bytes(b"")
    )
    return cold


@follows("Delete that file if none is compiling, and run ei-fast warmup again.")
def _(said):
    cold = _cold_cache(said)
    said.monkeypatch.setattr("ei_fast.warmup.LONGEST_WAIT", 0.1)
    lock = FileLock(cold.lock)
    with lock:
        said.messages.append(warmup().problem)
        # The process that holds it is none that compiles.
        cold.lock.unlink()
        assert "Compiled all kernels" in said.typed("warmup")


@follows("is at work in it, or set NUMBA_CACHE_DIR to a folder elsewhere, with some 100 MB of room.")
def _(said):
    _cold_cache(said)
    with said.monkeypatch.context() as patched:
        patched.setattr(FileLock, "acquire", _refuse)
        said.messages.append(warmup().problem)
        assert "Compiled all kernels" in said.typed("warmup")
        assert warmup().problem is None
    # A folder elsewhere is one that has locks: NUMBA_CACHE_DIR itself is read once in a process.
    elsewhere = said.folder / "elsewhere"
    elsewhere.mkdir()
    _cold_cache(said, elsewhere)
    assert warmup().compiled
    assert warmup().problem is None


_SUM = """
import warnings
import numpy as np
from ei_fast.kernels.jit import jit

@jit
def total(x):
    s = 0.0
    for one in x:
        s += one
    return s

if __name__ == "__main__":
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert total(np.ones(3)) == 3.0
    print(*[one.message for one in caught])
"""


def _sums(said, cache):
    """What a process says that compiles one kernel into a cache."""
    program = said.folder / "total.py"
    program.write_text(_SUM)
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache)}
    run = subprocess.run([sys.executable, program], env=environment, capture_output=True, text=True, check=True)
    return run.stdout.strip()


@follows(
    "Kernels are compiled in memory meanwhile. Set NUMBA_CACHE_DIR to a folder that can be written to and has some",
    "Where this is said again, remove the files *.nbi and *.nbc in that folder, or set NUMBA_CACHE_DIR to another",
)
def _(said):
    with mounted(said.folder / "small", "size=200k") as small:
        assert _sums(said, small / "cache") == ""
        for kept in (small / "cache").rglob("*.nb?"):
            kept.unlink()
        fill(small)
        said.messages.append(_sums(said, small / "cache"))
    cache = said.folder / "elsewhere"
    assert _sums(said, cache) == ""
    kept = list(cache.rglob("*.nb?"))
    assert kept
    for path in kept:
        path.write_bytes(b"junk")
    said.messages.append(_sums(said, cache))
    assert "cannot be read" in said.messages[-1]
    for path in kept:
        path.unlink()
    assert _sums(said, cache) == ""
    assert _sums(said, said.folder / "another") == ""


@follows(
    "bytes left of the {} that the matrices take. Make room, or give another folder.",
    "in which no file can be written: {}. Give another folder.",
)
def _(said):
    weight = np.random.default_rng(0).normal(size=(120, 120))
    with mounted(said.folder / "small", "size=200k") as small:
        said.refused(ef.EffectiveInformation(matrices=small).check, weight)
        ef.EffectiveInformation(matrices=said.folder).check(weight)
        filling = fill(small)
        said.refused(ef.EffectiveInformation(matrices=small).check, np.eye(2))
        filling.unlink()
        ef.EffectiveInformation(matrices=small).check(np.eye(2))
    said.monkeypatch.setattr("tempfile.TemporaryFile", _refuse)
    said.refused(ef.EffectiveInformation(matrices=said.folder).check, np.eye(2))
    said.monkeypatch.undo()
    other = said.folder / "other"
    other.mkdir()
    ef.EffectiveInformation(matrices=other).check(np.eye(2))


def _refuse(*args, **keywords):
    raise PermissionError(13, "Permission denied")


@follows("belongs to functions of your own. Got it for {}. Leave it out.", "Use one of these", "Leave it out")
def _(said):
    said.refused(ef.Activation, "tanh", (-1.0, 1.0))
    said.refused(ef.Activation, "tanh", slope=0.1)
    ef.Activation("tanh")
    message = said.refused(ef.Activation, "leaky_relu", slope=0.1)
    ef.Activation("leaky_relu", **{message.split("It has ")[1].split(". Use")[0]: 0.1})
