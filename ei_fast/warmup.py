"""Every kernel compiled once, for all processes that share a cache.

For each kernel Numba keeps an index file, which is read, extended and written back without a lock: processes that
compile together can lose an entry, or give the code of two signatures one name. The process that is first here
compiles under a lock and leaves a marker; all others wait for it, and later ones only load.

The module can be called: `ei_fast.warmup` is the name of the function and of the module it stands in.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numba.core import event
from tqdm import tqdm

from ei_fast.kernels.jit import KERNELS
from ei_fast.kernels.kept import tell, withheld
from ei_fast.runtime.kernel_cache import KernelCache

LONGEST_WAIT = 300.0
"""Seconds to wait for others: many times what compiling takes, for one type of CPU after the other."""
_POLL = 0.5


@dataclass(frozen=True)
class Warmup:
    """What a warmup found and did.

    Attributes
    ----------
    folder : Path or None
        Where the machine code is kept; None where it cannot be.
    compiled : bool
        Whether this process compiled it; otherwise it was there already, or another process did it meanwhile.
    seconds : float
        What finding, waiting and compiling took.
    problem : str or None
        Why other processes will not find the code, or should not have been at work, and what to do.
    """

    folder: Path | None
    compiled: bool
    seconds: float
    problem: str | None = None


def compile_kernels() -> None:
    """Have every kernel compiled before measuring begins, with a bar that says so where any has to be.

    Once in a process: a tenth of a second where the cache is warm, nothing afterwards. Where code cannot be kept,
    kernels are compiled as they are called, of which is warned.
    """
    global _looked
    if not _looked:
        _looked = True
        problem = warmup(verbose=True).problem
        if problem is not None:
            tell(problem)


_looked = False


def warmup(alone: bool = False, verbose: bool = False) -> Warmup:
    """Have every kernel in Numba's cache on disk: to be called at the start of each of many processes.

    A tenth of a second where it is there, in files that can be loaded. Otherwise one process compiles, what is missing
    or broken, and the others wait. Where the cache cannot be locked or written nothing fails: this process compiles
    kernels as they are called and keeps them in memory.

    Parameters
    ----------
    alone : bool, default False
        No other process is at work: compile into the cache even where the file system has no locks.
    verbose : bool, default False
        A bar counts the kernels while they are compiled, and a line says where another process is waited for.

    Returns
    -------
    Warmup
        Where the machine code is kept, whether this process compiled it, the seconds that passed, and any problem.

    Examples
    --------
    >>> import ei_fast as ef
    >>> ef.warmup().problem is None  # doctest: +SKIP
    True
    """
    begun = time.perf_counter()
    cache = KernelCache.found()
    folder, compiled, problem = None, False, None
    if cache is None:
        problem = "Compiled kernels cannot be kept: no folder can be written to. Set NUMBA_CACHE_DIR to one that can."
    else:
        folder = cache.folder
        try:
            compiled = _compile_or_wait(cache, verbose)
        except Timeout:
            problem = (
                f"Another process held {cache.lock} for {LONGEST_WAIT:g} s. Delete that file if none is compiling, "
                "and run ei-fast warmup again."
            )
        except (OSError, NotImplementedError) as error:
            problem = (
                f"The cache {folder} cannot be locked or written ({error}). Run ei-fast warmup while no other process "
                "is at work in it, or set NUMBA_CACHE_DIR to a folder elsewhere, with some 100 MB of room."
            )
            compiled = alone and _compile_without_a_lock(cache, verbose)
        if problem and not compiled:
            cache.leave()
    return Warmup(folder, compiled, time.perf_counter() - begun, problem)


def _compile_or_wait(cache: KernelCache, verbose: bool) -> bool:
    """Compile under the lock, or wait until another process has; return whether it was this one."""
    lock = FileLock(cache.lock)
    until = time.monotonic() + LONGEST_WAIT
    said = not verbose
    while not cache.is_warm:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if time.monotonic() > until:
                raise
            if not said:
                said = True
                print("another process is compiling the kernels, once: waiting for it", file=sys.stderr)
            time.sleep(_POLL)
            continue
        try:
            return _compile(cache, verbose)
        finally:
            lock.release()
    return False


def _compile_without_a_lock(cache: KernelCache, verbose: bool) -> bool:
    try:
        return _compile(cache, verbose)
    except OSError:
        return False


def _compile(cache: KernelCache, verbose: bool) -> bool:
    # Another process may have been at it between the look and the lock.
    if cache.is_warm:
        return False
    # What goes wrong with files is said once, by whoever is told of the problem.
    with withheld() as messages:
        cache.prepare()
        with _counting() if verbose else nullcontext():
            _call_every_kernel()
            if not messages and not cache.is_whole:
                # A kernel whose callers were there was not compiled.
                cache.forget()
                _call_every_kernel()
        try:
            cache.vouch()
        except OSError as error:
            raise OSError("; ".join([*messages[:1], str(error)])) from error
    return True


@contextmanager
def _counting() -> Iterator[None]:
    """A bar that counts the kernels that have been compiled, or loaded where some were there."""
    # Every kernel is to be seen: some take a second.
    with tqdm(total=len(KERNELS), desc="compiling kernels, once", unit="kernel", mininterval=0) as bar:
        with event.install_listener("numba:compile", _Counter(bar)):
            yield
        bar.update(len(KERNELS) - bar.n)


class _Counter(event.Listener):
    """Moves a bar whenever Numba has compiled something."""

    def __init__(self, bar: "tqdm[Any]"):
        self._bar = bar

    def on_start(self, event: event.Event) -> None:
        """Compiling begins: nothing is to be shown of it yet."""

    def on_end(self, event: event.Event) -> None:
        """One more is there, with those that it calls."""
        self._bar.update(sum(bool(kernel.overloads) for kernel in KERNELS) - self._bar.n)


def _call_every_kernel() -> None:
    """Small measurements that call all kernels, with arguments of all types that they are called with."""
    # A process that finds a warm cache need not wait for these to be imported.
    from ei_fast.kernels.histograms import histogram_information
    from ei_fast.measures.ablation.ei import AblationProblem, ei_changes
    from ei_fast.measures.counting.counts import Counts
    from ei_fast.measures.counting.estimators import PLUGIN
    from ei_fast.measures.counting.in_threads import counted_in_ranges, counted_in_tables, tallied
    from ei_fast.measures.options import MeasureOptions
    from ei_fast.network.binned import BinnedLayer
    from ei_fast.network.function import Function
    from ei_fast.network.input_histograms import InputHistograms
    from ei_fast.network.layer import Layer
    from ei_fast.network.network import Network
    from ei_fast.runtime.threads import Threads

    rng = np.random.default_rng(0)
    # Where samples are dropped, of one that is kept often and of one that is kept seldom.
    for limits in ((-0.2, 0.9), (0.9, 1.0)):
        _measure(Layer(rng.normal(size=(6, 6)), activation="relu"), limits, drop=True)
    # Cells that are drawn, with control variates; enumerated; and inputs alone.
    for weight in (rng.normal(size=(6, 6)), rng.normal(size=(2, 2)), np.eye(2)):
        _measure(Layer(weight))
    # Several components with one output each, of more cells than are looked at one by one.
    _measure(Layer(np.kron(np.eye(2), rng.normal(size=(5, 1)))), n_samples=None)
    _measure(Layer(rng.normal(size=(6, 6))), joint="plugin", pairwise="histogram")
    _measure(Layer(rng.normal(size=(6, 6))), joint="plugin", pairwise_edges=30)
    _measure(Layer(rng.normal(size=(6, 6))), joint="annealed", n_samples=512)
    _measure(Layer(rng.normal(size=(6, 6))), histograms=InputHistograms(np.full((6, 8), 1 / 8)))
    _measure(Function(np.tanh, 2, 2, (-1.0, 1.0)), (-1.0, 1.0))
    Counts.sum([Counts(np.arange(2, dtype=np.uint64), np.ones(2, np.int64))] * 2)
    # Of samples that are large enough to be shared out: keys that tables have, and some that they have not.
    spread = np.arange(64, dtype=np.uint64) << np.uint64(40)
    threads = Threads(1)
    tallied(counted_in_tables(np.arange(4, dtype=np.uint64), 2, 3, threads), threads, fewest=1)
    for keys in (spread, np.arange(64, dtype=np.uint64)):
        counted_in_ranges(keys, 2, threads)
    histogram_information(np.ones((2, 2), np.int32), *PLUGIN.histogram_tables(4096))
    # Layers that lack a neuron.
    binned = BinnedLayer(Layer(rng.normal(size=(3, 2))), 0, (0.0, 1.0), (0.0, 1.0), 8, 8)
    ei_changes(AblationProblem(binned, 0.0, MeasureOptions(tol=100.0), 0, threads), "inputs")
    # What an unbounded activation reaches, and what outputs do that one input dominates.
    Network([Layer(rng.normal(size=(3, 2)), activation="relu")]).ranges()
    dominated = Layer(np.vstack([rng.normal(size=(9, 2)), [[5e3, 5e3]]]), activation="relu")
    Network([dominated]).ranges()
    _measure(dominated, joint="plugin")
    _profile(Layer(rng.normal(size=(6, 6))))


def _measure(
    layer: Any, out_range: tuple[float, float] = (0.0, 1.0), drop: bool = False, histograms: Any = None, **methods: Any
) -> None:
    from ei_fast.measures.layer import measure_layer
    from ei_fast.measures.options import MeasureOptions
    from ei_fast.measures.stages import run_here
    from ei_fast.network.binned import BinnedLayer
    from ei_fast.runtime.threads import Threads

    binned = BinnedLayer(layer, 0, (0.0, 1.0), out_range, 8, 8, drop, histograms=histograms)
    measures = run_here(measure_layer(binned, MeasureOptions(**({"n_samples": 2**15} | methods)), 0), Threads(1))
    # What a report asks for as well.
    _ = measures.occupancy.share_outside, measures.occupancy.output_entropy


def _profile(layer: Any) -> None:
    from ei_fast.measures.options import MeasureOptions
    from ei_fast.measures.profile.auto import profile_of
    from ei_fast.measures.stages import run_here
    from ei_fast.network.binned import BinnedLayer
    from ei_fast.runtime.threads import Threads

    binned = BinnedLayer(layer, 0, (0.0, 1.0), (0.0, 1.0), 8, 8)
    run_here(profile_of(binned, MeasureOptions(n_samples=2**12), 0), Threads(1))


class _CallableModule(ModuleType):
    """The module as a function: importing a module sets its name in the package, where the function's stood."""

    def __call__(self, alone: bool = False, verbose: bool = False) -> Warmup:
        return warmup(alone, verbose)


sys.modules[__name__].__class__ = _CallableModule
