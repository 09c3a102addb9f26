"""What a jaxpr does to values that depend on its input, written down while it is evaluated, one equation after another.

Calls of other functions, as `jax.jit` and `jax.custom_jvp` make them, are followed. One that is a function of every
number by itself, as `jax.nn.silu`, is an activation.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

from ei_fast.adapters.activations.known import activation_of
from ei_fast.adapters.activations.steps import composite_if_any, parts_after
from ei_fast.adapters.activations.tried import maps_each
from ei_fast.adapters.graph import (
    Affine,
    Combine,
    Conv,
    Dense,
    Op,
    Operation,
    Pointwise,
    Recording,
    Same,
    Softmax,
    Unknown,
    Values,
)
from ei_fast.adapters.jax.operations import FLOATS, Equation, Steps, meaning_of, row_axis

# What calls another jaxpr with just its own inputs, and where it holds it.
_CALLS = {
    **dict.fromkeys(("jit", "pjit", "checkpoint", "remat2"), "jaxpr"),
    **dict.fromkeys(("custom_jvp_call", "custom_vjp_call", "closed_call", "core_call"), "call_jaxpr"),
}
_LOOPS = ("scan", "while")


@dataclass(frozen=True, eq=False)
class _Value:
    """What stands for a variable.

    Attributes
    ----------
    array : jax.Array
    number : int, optional
        Its number in the recording, if it depends on the model's input.
    rows : int
        Along which axis its rows are.
    owners : tuple of str
        Names of the layers of whose parameters it is made, if it does not depend on the input.
    """

    array: Any
    number: int | None = None
    rows: int = 0
    owners: tuple[str, ...] = ()


@dataclass(eq=False)
class Watcher:
    """Everything that is done to values that depend on the input of a jaxpr.

    Parameters
    ----------
    root : str
        Name of the outermost scope in which the jaxpr was traced, which is no part of the names of layers.
    """

    root: str = ""
    _ops: list[Op] = field(default_factory=list)
    _values: Values = field(default_factory=Values)
    _primitives: dict[Op, str] = field(default_factory=dict)
    # Of a sum the mean, which a division by the number of its terms gives back.
    _means: dict[int, tuple[int, float]] = field(default_factory=dict)
    _coarsest: str = "float64"

    def recording(
        self, jaxpr: Any, constants: Sequence[Any], parameters: Sequence[Any], owners: Sequence[str], x: jax.Array
    ) -> Recording:
        """Evaluate a jaxpr and write down what it does.

        Parameters
        ----------
        jaxpr : jax.extend.core.Jaxpr
            Of a function of the parameters and x.
        constants : sequence of jax.Array
            That it holds.
        owners : sequence of str
            Name of the layer to which each of the parameters belongs, or "".
        """
        held = [
            _Value(array, owners=(owner,) if owner else ()) for array, owner in zip(parameters, owners, strict=True)
        ]
        first = _Value(x, self._set(np.asarray(x)))
        written = self._evaluate(jaxpr, constants, [*held, first], "")
        outputs = tuple(dict.fromkeys(value.number for value in written if value.number is not None))
        if not outputs:
            raise TypeError(
                "What the model returns does not depend on its input. Measure it as a Function of your own, if at all."
            )
        recording = Recording(self._ops, self._values, outputs, (), self._coarsest, has_blocks=False)
        # What nobody reads is no matter where it is no layer.
        needed, unread = recording.alive()
        left = {*needed, *(op for op in unread if isinstance(op.does, (Dense, Conv)))}
        recording = replace(recording, ops=[op for op in self._ops if op in left])
        return replace(recording, ops=self._gathered(recording))

    def _evaluate(self, jaxpr: Any, constants: Sequence[Any], inputs: Sequence[_Value], scope: str) -> list[_Value]:
        held = dict(zip(jaxpr.constvars, (_Value(constant) for constant in constants), strict=True))
        held |= zip(jaxpr.invars, inputs, strict=True)

        def value_of(atom: Any) -> _Value:
            return _Value(atom.val) if isinstance(atom, core.Literal) else held[atom]

        for equation in jaxpr.eqns:
            written = self._equation(equation, [value_of(atom) for atom in equation.invars], scope)
            held |= zip(equation.outvars, written, strict=True)
        return [value_of(atom) for atom in jaxpr.outvars]

    def _equation(self, equation: Any, inputs: list[_Value], scope: str) -> list[_Value]:
        scope = "/".join(part for part in (scope, str(equation.source_info.name_stack)) if part)
        kind = equation.primitive.name
        if kind in _CALLS:
            return self._call(equation.params.get("name") or kind, equation.params[_CALLS[kind]], inputs, scope)
        result = equation.primitive.bind(*(value.array for value in inputs), **equation.params)
        results = list(result) if equation.primitive.multiple_results else [result]
        owners = tuple(dict.fromkeys(owner for value in inputs for owner in value.owners))
        reads = tuple(value.number for value in inputs if value.number is not None)
        if not reads:
            return [_Value(array, owners=owners) for array in results]
        name = _common(owners) or self._layer_in(scope) or kind
        steps, rows = _steps_of(equation, inputs, results)
        steps = steps or _each_by_itself(equation, inputs, results)
        if steps and not rows and not self._known_apart(steps, reads, inputs):
            steps = None
        if steps is None:
            unknown, arrays = Unknown(_reason(kind)), [_numbers(array) for array in results]
            numbers = tuple(self._set(one, self._values.stand_apart(unknown, reads, one.shape)) for one in arrays)
            self._write(name, unknown, tuple(dict.fromkeys(reads)), numbers, kind)
            return [_Value(array, number) for array, number in zip(results, numbers, strict=True)]
        for does, output in steps:
            reads = (self._step(name, does, reads, output, kind),)
        return [_Value(results[0], reads[0], rows)]

    def _known_apart(self, steps: Steps, reads: tuple[int, ...], inputs: Sequence[_Value]) -> bool:
        """Whether what is done means the same for values that are noted with the rows of the input first."""
        given = [value for value in inputs if value.number is not None]
        if any(value.rows for value in given):
            return True
        return self._values.are_known_behind(steps, reads, len(given[0].array))

    def _step(self, name: str, does: Operation, reads: tuple[int, ...], output: NDArray[Any], kind: str) -> int:
        """Write down one step and what comes out of it; return its number."""
        if isinstance(does, Affine) and reads[0] in self._means:
            mean, n = self._means[reads[0]]
            if not does.shift.any() and np.allclose(does.scale * n, 1.0, rtol=1e-6, atol=0.0):
                does, reads = Same(), (mean,)
        [number] = numbers = (self._set(output, self._values.stand_apart(does, reads, output.shape)),)
        self._write(name, does, reads, numbers, kind)
        if isinstance(does, Affine) and kind in ("reduce_sum", "reduce_window_sum"):
            self._means[number] = reads[0], float(does.scale)
        return number

    def _call(self, kind: str, called: Any, inputs: list[_Value], scope: str) -> list[_Value]:
        """Follow a call; what is a function of every number by itself becomes one operation."""
        jaxpr, constants = (called.jaxpr, called.consts) if isinstance(called, core.ClosedJaxpr) else (called, ())
        before = len(self._ops)
        written = self._evaluate(jaxpr, constants, inputs, scope)
        reads = {value.number for value in inputs if value.number is not None}
        steps = self._ops[before:]
        if len(steps) > 1 and len(reads) == len(written) == 1 and written[0].number == steps[-1].writes[0]:
            [start] = reads
            whole = composite_if_any(start, steps, self._values)
            if whole is not None and not all(isinstance(op.does, (Affine, Same)) for op in steps):
                del self._ops[before:]
                does = Pointwise(activation_of(whole))
                self._write(self._layer_of(steps) or kind, does, (start,), steps[-1].writes, kind)
        return written

    def _gathered(self, recording: Recording) -> list[Op]:
        """The operations, with every softmax in one, and so with everything else that begins and ends in one value."""
        ops = list(recording.ops)
        readers: dict[int, list[Op]] = {}
        for op in ops:
            for value in op.reads:
                readers.setdefault(value, []).append(op)

        for start in [0, *(op.writes[0] for op in ops if len(op.writes) == 1)]:
            if len(readers.get(start, ())) < 2:
                continue
            several = list(parts_after(start, ops, readers, recording, _is_no_layer))
            does: Operation | None
            does, steps = _softmax_of(recording, start, several)
            if does is None:
                steps = several[0] if several else []
                if all(op.does.of_number is not None for op in steps):
                    continue
                kinds = dict.fromkeys(self._primitives[op] for op in steps if not isinstance(op.does, Same))
                what = f"what {', '.join(kinds)} do together"
                does = Unknown(f"{what} is no dense layer or convolution, activation or pool")
            name = self._layer_of(steps)
            whole = Op(
                name or ("softmax" if isinstance(does, Softmax) else steps[-1].name), does, (start,), steps[-1].writes
            )
            at = ops.index(steps[-1])
            ops = [whole if k == at else op for k, op in enumerate(ops) if k == at or op not in steps]
            readers[start] = [whole]
        return ops

    def _layer_of(self, steps: Sequence[Op]) -> str:
        """The first layer that the steps are called by."""
        return next((op.name for op in steps if op.name != self._primitives[op]), "")

    def _layer_in(self, scope: str) -> str:
        """The module in whose scope it is; `jax.numpy` and transformations have scopes of their own."""
        # A method that is not "__call__" stands behind its module: "Dense_0.encode".
        parts = [part.partition(".")[0] for part in scope.split("/") if re.fullmatch(r"[\w.-]+", part)]
        return "/".join(parts[1:] if parts[:1] == [self.root] else parts)

    def _write(self, name: str, does: Operation, reads: tuple[int, ...], writes: tuple[int, ...], kind: str) -> None:
        op = Op(name, does, reads, writes)
        self._ops.append(op)
        self._primitives[op] = kind

    def _set(self, values: NDArray[Any], apart: bool = False) -> int:
        """Write down a value; return its number."""
        kind = values.dtype.name
        if kind in FLOATS and FLOATS.index(kind) > FLOATS.index(self._coarsest):
            self._coarsest = kind
        return self._values.add(values if kind in ("float32", "float64") else values.astype(np.float64), apart)


def _is_no_layer(op: Op) -> bool:
    return not isinstance(op.does, (Dense, Conv))


def _softmax_of(recording: Recording, start: int, parts: Sequence[list[Op]]) -> tuple[Softmax | None, list[Op]]:
    """The softmax that some of the parts are, the first of which begins with `start`, and all their steps."""
    before = recording.values[start].astype(np.float64)
    steps: list[Op] = []
    for part in parts:
        steps = [*steps, *part]
        after = recording.values[part[-1].writes[0]]
        if before.ndim < 2 or before.shape != after.shape:
            continue
        for log, function in ((False, softmax), (True, log_softmax)):
            # Whether it is one for other inputs too is seen when the layer is compared.
            if np.allclose(after, function(before, axis=-1), rtol=1e-3, atol=1e-4):
                return Softmax(log), steps
    return None, []


def _steps_of(equation: Any, inputs: Sequence[_Value], results: Sequence[Any]) -> tuple[Steps | None, int]:
    """What an equation does, if it is known, and along which axis the rows of its result are."""
    at = tuple(k for k, value in enumerate(inputs) if value.number is not None)
    params, moved = equation.params, equation.primitive.name == "transpose" and inputs[0].rows > 0
    if moved:
        # The rows, which stood behind, are seen as if they had come first all the time.
        if params["permutation"][0] != inputs[0].rows:
            return None, 0
        others = [axis + (axis < inputs[0].rows) for axis in params["permutation"][1:]]
        params = {"permutation": (0, *others)}
    elif any(inputs[k].rows for k in at):
        return None, 0
    if len(results) != 1 or not all(_is_real(atom.aval.dtype) for atom in (*equation.invars, *equation.outvars)):
        return None, 0
    [result] = results
    rows = row_axis(equation, at, result.ndim)
    arrays = [np.asarray(value.array) for value in inputs]
    if moved:
        arrays[0] = np.moveaxis(arrays[0], inputs[0].rows, 0)
    output = np.moveaxis(np.asarray(result), rows, 0) if rows else np.asarray(result)
    return meaning_of(Equation(equation.primitive.name, params, arrays, at, output)), rows


@dataclass(frozen=True, eq=False)
class _Primitive:
    """A primitive, number by number, as a function of arrays; what is no operand that is given is one number."""

    primitive: Any
    params: dict[str, Any]
    operands: tuple[tuple[Any, float | None], ...]

    @property
    def __name__(self) -> str:
        return str(self.primitive.name)

    def __call__(self, *given: NDArray[np.float64]) -> NDArray[np.float64]:
        rest = iter(given)
        arrays = [
            jnp.asarray(next(rest) if number is None else np.full(given[0].shape, number), dtype=dtype)
            for dtype, number in self.operands
        ]
        return np.asarray(self.primitive.bind(*arrays, **self.params), dtype=np.float64)


def _each_by_itself(equation: Any, inputs: Sequence[_Value], results: Sequence[Any]) -> Steps | None:
    """What a primitive that has no meaning of its own here does, if it is done number by number."""
    atoms = (*equation.invars, *equation.outvars)
    if len(results) != 1 or any(value.rows for value in inputs) or not all(_is_real(atom.aval.dtype) for atom in atoms):
        return None
    [result], given = (np.asarray(array) for array in results), [np.asarray(value.array) for value in inputs]
    operands = tuple(
        (array.dtype, None if value.number is not None else _one_number(array))
        for value, array in zip(inputs, given, strict=True)
    )
    read = [array for value, array in zip(inputs, given, strict=True) if value.number is not None]
    constant = any(number is None for value, (_, number) in zip(inputs, operands, strict=True) if value.number is None)
    if constant or equation.effects:
        return None
    whole = _Primitive(equation.primitive, equation.params, operands)
    eps = float(jnp.finfo(result.dtype).eps) if result.dtype.kind in "fV" else 2.0**-23
    if not maps_each(whole, read, "".join(map(_kind, read)), result, _kind(result), eps):
        return None
    return [(Combine(whole) if len(read) > 1 else Pointwise(activation_of(whole)), result)]


def _one_number(array: NDArray[Any]) -> float | None:
    """The number that an array holds everywhere, if it is one."""
    return float(array.flat[0]) if array.size and (array == array.flat[0]).all() else None


def _kind(array: NDArray[Any]) -> str:
    # bfloat16 is no type of NumPy's own.
    return "f" if array.dtype.kind == "V" else array.dtype.kind


def _is_real(dtype: Any) -> bool:
    return not jax.dtypes.issubdtype(dtype, jax.dtypes.extended) and np.dtype(dtype).kind != "c"


def _numbers(array: Any) -> NDArray[Any]:
    """The values as NumPy has them; none of what is no real number, since no layer reads it."""
    return np.asarray(array) if _is_real(array.dtype) else np.zeros(0)


def _common(owners: Sequence[str]) -> str:
    """The layer that holds all of these, or else the first."""
    if len(owners) < 2:
        return owners[0] if owners else ""
    separator = "/" if any("/" in owner for owner in owners) else "."
    parts = [owner.split(separator) for owner in owners]
    same = [part[0] for part in takewhile(lambda part: len(set(part)) == 1, zip(*parts, strict=False))]
    return separator.join(same) or owners[0]


def _reason(kind: str) -> str:
    if kind in _LOOPS:
        return f"a loop ({kind}) is no dense layer: what it does reads what it did before"
    if kind == "cond":
        return "what is done depends on a condition (cond), so that it is no dense layer"
    return f"{kind} is no dense layer or convolution, activation or pool"
