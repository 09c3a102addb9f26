"""How every kernel is compiled: one decorator, one set of options."""

from collections.abc import Callable
from typing import Any

import numba

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
"""Every kernel of the modules imported so far."""


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
    return _compiled(function)


def inlined(function: Callable) -> Any:
    """Return `function` as a kernel that becomes part of the kernels that call it.

    For a few operations inside a loop: a call that LLVM does not dissolve by itself counts the references of its
    arrays, which takes some 20 ns.
    """
    return _compiled(function, forceinline=True)


def _compiled(function: Callable, **options: Any) -> Any:
    kernel = numba.njit(**_OPTIONS, **options)(function)
    if hasattr(kernel, "enable_caching"):
        try:
            kernel._cache = KeptCode(function)  # noqa: SLF001
        except (RuntimeError, OSError) as error:
            tell(f"Compiled code cannot be kept: {error}", REMEDY)
    KERNELS.append(kernel)
    return kernel
