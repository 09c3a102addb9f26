"""One process compiles for all: real caches in real processes, and file systems that refuse."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numba
import numpy as np
import pytest
from click.testing import CliRunner
from disks import mounted
from filelock import FileLock

import ei_fast as ef
import ei_fast.kernels.kept
import ei_fast.runtime.kernel_cache
import ei_fast.warmup
from ei_fast.cli import main
from ei_fast.kernels.jit import KERNELS
from ei_fast.kernels.kept import KeptFiles
from ei_fast.runtime.kernel_cache import KernelCache
from ei_fast.warmup import warmup

WEIGHT = np.arange(12.0).reshape(4, 3) / 4 - 1
START = """
from ei_fast.warmup import warmup
done = warmup()
import numpy as np
import ei_fast as ef
report = ef.analyze(np.arange(12.0).reshape(4, 3) / 4 - 1, random_state=0)
print(done.compiled, done.problem, report[0].ei, report[0].ei_parts, report[0].sensitivity)
"""
BROAD = """
from ei_fast.warmup import warmup
warmup()
import numpy as np
import ei_fast as ef

def normal(*shape):
    return np.random.default_rng(0).normal(size=shape)

few = {"n_samples": 4096, "random_state": 0}
ef.analyze([normal(5, 6), normal(6, 3), normal(3, 2)], random_state=0, tol=0.1, n_jobs=2)
ef.analyze(normal(12, 40), random_state=0, tol=1.0)  # undersampled, and hashed keys
ef.analyze(normal(4, 2).T, baseline=1, **few)
ef.analyze(normal(70, 80).astype(np.float32), bins=(4, 64), n_samples=512, random_state=0)
ef.analyze(np.eye(3), in_range=(-1, 1), **few)
for rule in ("auto", "hull", "neuron"):
    ef.analyze([normal(4, 3), normal(3, 2)], activation="relu", out_range=rule, **few)
ef.analyze([(np.diag([9.0, 0.1, 0.1, 0.1, 0.1, 0.1]) + 1e-6, np.ones(6), "relu")], out_range=(0, 1), **few)
for name in ("linear", "relu", "leaky_relu", "tanh", "hard_sigmoid", "gelu", "silu", "softplus"):
    for rule in ("clip", "drop"):
        ef.analyze(normal(5, 3), activation=name, out_range=(-0.2, 0.9), out_of_range=rule, **few)
for entropy in ("plugin", "miller-madow", "grassberger", "chao-shen"):
    for joint in ("auto", "plugin"):
        ef.analyze(normal(5, 3), entropy=entropy, joint=joint, pairwise="histogram", **few)
    ef.mutual_information([0, 1, 1], [0.5, 1.5, 2.5], entropy=entropy, bins=(2, 4))
block = ef.Function(lambda x: np.tanh(x @ np.ones((3, 2))), 3, 2, (-0.5, 0.9))
for settings in ({}, {"out_of_range": "drop"}, {"joint": "plugin"}):
    ef.analyze([normal(3, 3), block], **settings, **few)
layer = ef.Layer(normal(5, 4))
for groups in (([0, 1], [2, 3]), (0, 1), ([0, 1, 2], None), (None, 3)):
    ef.effective_information(layer, *groups, **few)
ef.effective_information(block, [0], [0, 1], **few)
ef.sensitivity_matrix(layer)
ef.ei_parts_matrix(layer)
ef.bin_sweep(layer, bins=(2, 32), **few)
"""


def _run(code, folder, **environment):
    command = [sys.executable, "-c", code]
    environment = os.environ | {"NUMBA_CACHE_DIR": str(folder)} | environment
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment, timeout=500).stdout


def _files(folder):
    return sorted(path.name for path in Path(folder).rglob("*.nb?"))


def _codes(folder):
    """Compiled code for this type of CPU: which files that is of all there are depends on who came first."""
    magic = KERNELS[0].targetctx.codegen().magic_tuple()
    names = set()
    for kernel in KERNELS:
        impl = kernel._cache._impl
        index = KeptFiles(str(folder), impl.filename_base, impl.locator.get_source_stamp())._load_index()
        names.update(name for key, name in index.items() if key[1] == magic)
    return sorted(Path(folder, name) for name in names)


def _start_together(folder, environments):
    """What processes print that start at once on an empty cache: (who compiled, any problem), figures."""
    with ThreadPoolExecutor(len(environments)) as pool:
        lines = list(pool.map(lambda environment: _run(START, folder, **environment).split(" ", 2), environments))
    return [(compiled, problem) for compiled, problem, _ in lines], {figures for _, _, figures in lines}


@pytest.fixture(scope="module")
def warm(tmp_path_factory):
    """A cache into which six processes have warmed at once, one of them on another type of CPU; and what they said."""
    folder = tmp_path_factory.mktemp("cache")
    return folder, *_start_together(folder, [{}] * 5 + [{"NUMBA_CPU_NAME": "generic"}])


@pytest.mark.slow
def test_of_processes_that_start_together_one_compiles_for_each_type_of_cpu(warm):
    folder, said, figures = warm
    assert sorted(said) == [("False", "None")] * 4 + [("True", "None")] * 2
    assert said[-1] == ("True", "None")
    report = ef.analyze(WEIGHT, random_state=0)[0]
    assert figures == {f"{report.ei} {report.ei_parts} {report.sensitivity}\n"}
    assert len(list(folder.rglob("*.warm"))) == 2


@pytest.mark.slow
def test_after_a_warmup_nothing_is_compiled(warm):
    before = _files(warm[0])
    _run(BROAD, warm[0])
    assert _files(warm[0]) == before


@pytest.mark.slow
def test_whoever_finds_a_warm_cache_takes_no_lock(warm):
    (lock,) = warm[0].rglob("ei_fast.lock")
    with FileLock(lock):
        assert _run(START, warm[0]).startswith("False None ")


@pytest.mark.endurance
def test_twenty_processes(tmp_path):
    said, figures = _start_together(tmp_path, [{}] * 20)
    assert sorted(said) == [("False", "None")] * 19 + [("True", "None")]
    assert len(figures) == 1


def _made_up(folder):
    """Fill a folder with files as kernels keep them, and vouch for them on this CPU and on another type."""
    magic = KERNELS[0].targetctx.codegen().magic_tuple()
    for kernel in KERNELS:
        impl = kernel._cache._impl
        KeptFiles(str(folder), impl.filename_base, impl.locator.get_source_stamp()).save(
            ("made up", magic), "code" * 100
        )
    KernelCache(folder).vouch()
    (marker,) = folder.glob("*.warm")
    shutil.copy(marker, folder / f"{marker.stem.rpartition('-')[0]}-0123456789abcdef.warm")


@pytest.fixture(params=["made up", pytest.param("compiled", marks=pytest.mark.slow)])
def cache(request, tmp_path):
    """This process's view of a cache that is warm for two types of CPU."""
    KernelCache.found()
    if request.param == "compiled":
        (folder,) = request.getfixturevalue("warm")[0].iterdir()
        return KernelCache(Path(shutil.copytree(folder, tmp_path / folder.name)))
    _made_up(tmp_path)
    return KernelCache(tmp_path)


def test_a_warm_cache_is_not_waited_for(cache, monkeypatch):
    monkeypatch.setattr(KernelCache, "found", lambda: cache)
    monkeypatch.setattr(ei_fast.warmup, "LONGEST_WAIT", 0.1)
    with FileLock(cache.lock):
        done = warmup()
    assert (done.folder, done.compiled, done.problem) == (cache.folder, False, None)


def test_a_marker_is_worth_nothing_where_code_has_gone(cache):
    assert cache.is_warm
    next(cache.folder.glob("*.nbi")).unlink()
    assert not cache.is_warm


@pytest.mark.parametrize("content", [b"", b"garbage", None], ids=["empty", "garbage", "truncated"])
@pytest.mark.parametrize("kind", ["*.nbi", "*.nbc", "*.warm"])
def test_a_cache_is_not_called_warm_where_a_file_is_broken(cache, kind, content):
    for path in (_codes(cache.folder) if kind == "*.nbc" else sorted(cache.folder.glob(kind)))[-2:]:
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    assert not cache.is_warm


def test_a_cache_is_not_called_warm_where_a_byte_of_code_has_changed(cache):
    path = _codes(cache.folder)[0]
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 3] ^= 1
    path.write_bytes(whole)
    assert not cache.is_warm


@pytest.mark.parametrize("changed", ["version", "file", "nothing"])
def test_code_of_another_version_is_forgotten(cache, monkeypatch, changed):
    if changed == "version":
        monkeypatch.setattr("ei_fast.runtime.kernel_cache.__version__", "0.0")
        cache = KernelCache(cache.folder)
        assert not cache.is_warm
    if changed == "file":
        # Of a kernel that was called in several ways there are several.
        for code in cache.folder.glob(f"{KERNELS[0]._cache._impl.filename_base}.*.nbc"):
            code.unlink()
    forgotten = []
    kernel = SimpleNamespace(
        __name__="kernel",
        recompile=lambda: forgotten.append(True),
        _cache=KERNELS[0]._cache,
        targetctx=KERNELS[0].targetctx,
    )
    monkeypatch.setattr(ei_fast.runtime.kernel_cache, "KERNELS", [kernel])
    cache.prepare()
    assert forgotten == ([] if changed == "nothing" else [True])
    assert len(list(cache.folder.glob("*.warm"))) == (2 if changed == "nothing" else 0)
    if changed == "file":
        with pytest.raises(OSError, match="1 of 1 kernels are not in it"):
            cache.vouch()
    else:
        cache.vouch()
        assert cache.is_warm


class _Cold:
    """A cache that is never warm, and says what is done to it."""

    is_warm = False

    def __init__(self, folder):
        self.folder, self.lock, self.done = folder, folder / "lock", []

    def __getattr__(self, name):
        return lambda: self.done.append(name)


@pytest.fixture
def cold(tmp_path, monkeypatch):
    cold = _Cold(tmp_path)
    monkeypatch.setattr(KernelCache, "found", lambda: cold)
    monkeypatch.setattr(ei_fast.warmup, "_call_every_kernel", cold.compile)
    return cold


def _refusing(error):
    def refuse(*args, **kwargs):
        raise error

    return refuse


@pytest.mark.parametrize("error", [NotImplementedError("no flock"), OSError(38, "not implemented")])
def test_without_locks_only_who_is_alone_writes(cold, monkeypatch, error):
    monkeypatch.setattr(FileLock, "acquire", _refusing(error))
    done = warmup()
    assert not done.compiled
    assert "cannot be locked or written" in done.problem
    assert cold.done == ["leave"]
    cold.done.clear()
    said = CliRunner().invoke(main, ["warmup"])
    assert said.exit_code == 0
    assert "Compiled all kernels (" in said.output
    assert "Warning: The cache" in said.output
    assert cold.done == ["prepare", "compile", "vouch"]


@pytest.mark.parametrize("alone", [False, True])
def test_a_full_disk_is_no_failure(cold, monkeypatch, alone):
    monkeypatch.setattr(ei_fast.warmup, "_call_every_kernel", _refusing(OSError(28, "No space left on device")))
    done = warmup(alone)
    assert (done.compiled, cold.done[-1]) == (False, "leave")
    assert "No space left on device" in done.problem


def test_a_lock_that_is_never_let_go(cold, monkeypatch):
    monkeypatch.setattr(ei_fast.warmup, "LONGEST_WAIT", 0.1)
    with FileLock(cold.lock):
        done = warmup(alone=True)
    assert (done.compiled, cold.done) == (False, ["leave"])
    assert f"Another process held {cold.lock}" in done.problem


def test_nowhere_to_keep_code(monkeypatch):
    monkeypatch.setattr(KernelCache, "found", lambda: None)
    said = CliRunner().invoke(main, ["warmup"])
    assert said.exit_code == 0
    assert said.output.startswith("Warning: Compiled kernels cannot be kept")


def test_the_command(cold):
    assert f": {cold.folder}\n" in CliRunner().invoke(main, ["warmup"]).output
    cold.is_warm = True
    assert "All kernels were compiled already (" in CliRunner().invoke(main, ["warmup"]).output


@pytest.fixture
def compiling(cold, monkeypatch):
    """A cold cache, and two kernels that are compiled one after the other."""
    kernels = [numba.njit(lambda x: x + 1), numba.njit(lambda x: x * 2)]
    monkeypatch.setattr(ei_fast.warmup, "KERNELS", kernels)
    monkeypatch.setattr(ei_fast.warmup, "_call_every_kernel", lambda: [kernel(1) for kernel in kernels])
    monkeypatch.setattr(ei_fast.warmup, "_looked", False)
    return cold


def test_a_first_call_with_a_bar_says_that_kernels_are_compiled_and_how_far(compiling, capsys):
    ef.analyze(WEIGHT, random_state=0, verbose=1)
    said = capsys.readouterr().err
    for far in ("0/2", "1/2", "2/2"):
        assert far in said[said.index("compiling kernels, once") : said.index("measuring")]
    ef.analyze(WEIGHT, random_state=0, verbose=1)
    assert "compiling" not in capsys.readouterr().err


def test_commands_say_that_kernels_are_compiled(compiling, tmp_path):
    np.savez(tmp_path / "net.npz", w0=WEIGHT)
    said = CliRunner().invoke(main, ["analyze", str(tmp_path / "net.npz")])
    assert "compiling kernels, once" in said.stderr
    assert said.stdout.startswith("layer")


def test_a_first_call_without_a_bar_says_nothing(compiling, capfd):
    ef.analyze(WEIGHT, random_state=0)
    assert capfd.readouterr() == ("", "")


def test_a_call_with_a_bar_is_not_slowed_by_a_warm_cache(compiling, capsys):
    compiling.is_warm = True
    ef.analyze(WEIGHT, random_state=0, verbose=1)
    assert "compiling" not in capsys.readouterr().err
    assert compiling.done == []


def test_who_waits_for_another_process_is_told(compiling, capsys, monkeypatch):
    monkeypatch.setattr(ei_fast.warmup, "LONGEST_WAIT", 0.1)
    monkeypatch.setattr(ei_fast.kernels.kept, "_said", False)
    with FileLock(compiling.lock), pytest.warns(RuntimeWarning, match="Another process held .* Delete that file"):
        ef.analyze(WEIGHT, random_state=0, verbose=1)
    assert "another process is compiling the kernels, once: waiting" in capsys.readouterr().err


@pytest.mark.slow
def test_a_warmup_mends_what_is_broken_and_compiles_nothing_else(warm, tmp_path):
    folder = Path(shutil.copytree(warm[0], tmp_path / "copy"))
    (within,) = folder.iterdir()
    codes = _codes(within)
    for path in codes[::40]:
        path.write_bytes(path.read_bytes()[:-100])
    before = {path: path.stat().st_mtime_ns for path in within.glob("*.nbc")}
    assert _run(START, folder).startswith("True None ")
    # A kernel's code may then have the number that it had for the other type of CPU.
    written = [path for path in within.glob("*.nbc") if path.stat().st_mtime_ns != before.get(path)]
    assert len(written) >= len(codes[::40])
    assert _run(START, folder).startswith("False None ")


@pytest.mark.slow
def test_a_measurement_in_a_broken_cache_or_on_a_full_disk_gives_the_same_figures(warm, tmp_path):
    code = "import numpy as np, ei_fast as ef; print(ef.analyze(np.eye(3), n_samples=512, random_state=0)[0].ei)"
    expected = _run(code, warm[0])
    folder = Path(shutil.copytree(warm[0], tmp_path / "copy"))
    for path in folder.rglob("*.nb?"):
        path.write_bytes(b"")
    assert _run(code, folder) == expected
    with mounted(tmp_path / "disk", "size=1m") as disk:
        assert _run(code, disk / "cache") == expected
        done = _run("import ei_fast as ef; print(ef.warmup().problem)", disk / "cache")
    assert "No space left on device" in done
