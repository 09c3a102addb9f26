"""The larger and the smaller of two numbers, of which neither is NaN, as one instruction each.

Notes
-----
Python's ``max`` and a comparison written out both have to say what happens to a NaN. LLVM then finds no reduction in a
loop over them and treats one number at a time. These two promise that there is no NaN, so that it treats several.
"""

from functools import partial
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic, overload


def larger(a, b):
    """Return the larger of two float64, neither of which is NaN."""
    return a if a > b else b


def smaller(a, b):
    """Return the smaller of two float64, neither of which is NaN."""
    return a if a < b else b


_SIGNATURE = types.float64(types.float64, types.float64)


def _generate(name: str, context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Write the call of LLVM's function `name` of two float64."""
    double = ir.DoubleType()
    function = builder.module.declare_intrinsic(name, [double], ir.FunctionType(double, [double, double]))
    return builder.call(function, arguments, fastmath=("nnan", "nsz"))


@intrinsic
def _maxnum(typing_context, a, b):
    return _SIGNATURE, partial(_generate, "llvm.maxnum")


@intrinsic
def _minnum(typing_context, a, b):
    return _SIGNATURE, partial(_generate, "llvm.minnum")


@overload(larger)
def _larger(a, b):
    return lambda a, b: _maxnum(a, b)


@overload(smaller)
def _smaller(a, b):
    return lambda a, b: _minnum(a, b)
