"""The one door to Numba: every kernel is compiled with the options set here."""

from collections.abc import Callable
from typing import Any

import numba

# Kernels are serial and release the GIL: threads are spread over blocks in ``ei_fast.runtime.threads``.
# No fastmath: without re-association and contraction a kernel gives the same bits on every CPU,
# and the naive oracle of the tests can follow it operation by operation.
# Nobody calls a kernel through a C pointer: the wrapper for that would only be compiled.
_OPTIONS: Any = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": False,
    "boundscheck": False,
    "no_cfunc_wrapper": True,
}

KERNELS: list[Any] = []
"""Every kernel of the modules that have been imported."""


def jit(function: Callable) -> Any:
    """Compile `function` on its first call and keep the machine code on disk where possible.

    Nothing is compiled at decoration. Where no cache directory can be written, Numba refuses
    ``cache=True`` at once; the kernel then works uncached.
    """
    try:
        kernel = numba.njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:
        kernel = numba.njit(**_OPTIONS)(function)
    KERNELS.append(kernel)
    return kernel
