"""How every kernel is compiled: one decorator, one set of options."""

import gc
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numba
from numba.core import event
from numba.core.registry import CPUDispatcher

from ei_fast.kernels.kept import REMEDY, KeptCode, tell

_OPTIONS: Any = {
    # Kernels are serial and release the GIL: ``ei_fast.runtime.threads`` spreads blocks of work over threads.
    "nogil": True,
    # A division by zero gives infinity or NaN, as in NumPy, instead of a check before every division.
    "error_model": "numpy",
    # Without re-association and contraction a kernel returns the same bits on every CPU, and plain NumPy in the tests
    # can follow it operation by operation.
    "fastmath": False,
    "boundscheck": False,
    # Nothing calls a kernel through a C pointer: the wrapper for it would be compiled for nothing.
    "no_cfunc_wrapper": True,
}
"""Options of Numba's compiler that all kernels share."""

KERNELS: list[Any] = []
"""Every kernel that Python calls, of the modules imported so far."""


class _CollectsLater(event.Listener):
    """Collects no garbage while a kernel is compiled: to look for it among what Numba builds takes a tenth of that."""

    def __init__(self) -> None:
        # Numba compiles in one thread at a time, a kernel and within that what it calls.
        self._kernel: Any = None
        self._was_on = False

    def on_start(self, event: event.Event) -> None:
        """Compiling begins."""
        kernel = _compiled_in(event)
        if self._kernel is None and any(kernel is one for one in KERNELS):
            self._kernel, self._was_on = kernel, gc.isenabled()
            gc.disable()

    def on_end(self, event: event.Event) -> None:
        """Compiling has ended."""
        if self._kernel is not None and _compiled_in(event) is self._kernel:
            self._kernel = None
            if self._was_on:
                gc.enable()


def _compiled_in(event: event.Event) -> Any:
    """What is compiled; None where whoever tells of it does not say."""
    return (event.data or {}).get("dispatcher")


event.register("numba:compile", _CollectsLater())


class _Inner(CPUDispatcher):
    """A function that kernels call. Called from Python, as tests do, it is compiled once more, so that Python can."""

    @cached_property
    def _for_python(self) -> Any:
        return numba.njit(**_OPTIONS)(self.py_func)

    def __call__(self, *arguments: Any) -> Any:
        return self._for_python(*arguments)


def jit(function: Callable) -> Any:
    """Return `function` as a kernel that is compiled on its first call and kept on disk where possible.

    Decorating compiles nothing. Where no cache directory can be written, which is told, the kernel is compiled once
    in every process.

    Parameters
    ----------
    function : callable
        A function of scalars and contiguous NumPy arrays, within what Numba compiles.

    Returns
    -------
    numba dispatcher
        Also appended to `KERNELS`.
    """
    kernel = numba.njit(**_OPTIONS)(function)
    if hasattr(kernel, "enable_caching"):
        try:
            kernel._cache = KeptCode(function)  # noqa: SLF001
        except (RuntimeError, OSError) as error:
            tell(f"Compiled code cannot be kept: {error}", REMEDY)
    KERNELS.append(kernel)
    return kernel


def inner(function: Callable) -> Any:
    """Return `function` as one that only kernels call.

    Its code is part of theirs, on disk too. What Python would call it by, a good part of a function of many arrays,
    is not compiled.
    """
    return _inner(function)


def inlined(function: Callable) -> Any:
    """Return `function` as one that becomes part of the loops of the kernels that call it.

    For a few operations inside a loop: a call that LLVM does not dissolve by itself counts the references of its
    arrays, which takes some 20 ns.
    """
    return _inner(function, forceinline=True)


def _inner(function: Callable, **options: Any) -> Any:
    options = _OPTIONS | {"no_cpython_wrapper": True} | options
    compiled = numba.njit(**options)(function)
    if isinstance(compiled, CPUDispatcher):
        # Without that code a call from Python would end the process.
        compiled.__class__ = _Inner
    return compiled
