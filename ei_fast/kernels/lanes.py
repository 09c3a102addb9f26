"""Steps of kernels over sixteen samples at once, written as instructions for vectors where LLVM finds none by itself.

A loop over samples inside one over inputs keeps its sums in memory; only a few samples of a few outputs fit into
registers, and so many sums are what a processor works on at full speed. Each step is also there in plain Python, which
says what it does, and is what runs where kernels are not compiled.

Every lane is a sample of its own: it is multiplied and added to one operation after the other, without contraction,
so that a step returns the same bits on every processor, whatever the length of its vectors.
"""

from collections.abc import Callable
from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

LANES = 16
"""Samples of a vector: one of AVX-512, two of AVX2, four of SSE and NEON."""

_FLOAT, _SHORT, _INT, _LONG = ir.FloatType(), ir.IntType(16), ir.IntType(32), ir.IntType(64)
_FLOATS, _SHORTS, _INTS = (ir.VectorType(number, LANES) for number in (_FLOAT, _SHORT, _INT))


def _array(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    return context.make_array(kind)(context, builder, value)


def _place(builder: Any, array: Any, row: Any, column: Any) -> Any:
    """Pointer to an element of an array of two dimensions."""
    length = builder.extract_value(array.shape, 1)
    return builder.gep(array.data, [builder.add(builder.mul(row, length), column)])


def _vector_at(builder: Any, place: Any, vector: Any, number: int = 0) -> Any:
    """Pointer to vector number `number` from a place on."""
    place = builder.gep(place, [ir.Constant(_LONG, LANES * number)])
    return builder.bitcast(place, vector.as_pointer())


def _in_all_lanes(builder: Any, value: Any, vector: Any) -> Any:
    undefined = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(undefined, value, ir.Constant(_INT, 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(_INTS, [0] * LANES))


class _Loop:
    """A loop over begin ... end - 1, at least once, with vectors that go from one round to the next."""

    def __init__(self, builder: Any, begin: Any, end: Any, starts: list[Any]):
        self._builder, self._end, before = builder, end, builder.block
        self._body, self._after = builder.append_basic_block("lanes"), builder.append_basic_block("after")
        builder.branch(self._body)
        builder.position_at_end(self._body)
        self.number = builder.phi(_LONG)
        self.number.add_incoming(begin, before)
        self.values = []
        for start in starts:
            value = builder.phi(start.type)
            value.add_incoming(start, before)
            self.values.append(value)

    def close(self, values: list[Any]) -> None:
        builder = self._builder
        following = builder.add(self.number, ir.Constant(_LONG, 1))
        self.number.add_incoming(following, self._body)
        for value, new in zip(self.values, values, strict=True):
            value.add_incoming(new, self._body)
        builder.cbranch(builder.icmp_signed("<", following, self._end), self._body, self._after)
        builder.position_at_end(self._after)


def _products_step(n_outputs: int, n_vectors: int) -> Any:
    """A step that adds products of some inputs to the sums of so many outputs, for so many vectors of samples.

    Of arguments (weights, chosen, uniforms, sums, number, row, t, begin, end): with j = chosen[number + k], inputs
    begin ... end - 1 in their order, at least one, and LANES * n_vectors samples from t on,

        sums[row + k, t] += weights[j, i] * uniforms[i, t]        for k = 0 ... n_outputs - 1

    where the sums begin at 0 for begin = 0. Arrays: (n_out, n_in) float32, (any,) int64, (n_in, any) float32,
    (any, any) float32.
    """

    def in_python(weights, chosen, uniforms, sums, number, row, t, begin, end):
        samples = slice(t, t + LANES * n_vectors)
        for k in range(n_outputs):
            if begin == 0:
                sums[row + k, samples] = 0.0
            for i in range(begin, end):
                sums[row + k, samples] += weights[chosen[number + k], i] * uniforms[i, samples]

    def generated(context, builder, signature, args):
        arrays = [_array(context, builder, *pair) for pair in zip(signature.args[:4], args[:4], strict=True)]
        weights, chosen, uniforms, sums = arrays
        number, row, t, begin, end = args[4:]
        nothing, zero = ir.Constant(_LONG, 0), ir.Constant(_FLOATS, [0.0] * LANES)
        of_outputs, places, starts = [], [], []
        for k in range(n_outputs):
            output = builder.load(builder.gep(chosen.data, [builder.add(number, ir.Constant(_LONG, k))]))
            of_outputs.append(_place(builder, weights, output, nothing))
            place = _place(builder, sums, builder.add(row, ir.Constant(_LONG, k)), t)
            places += [_vector_at(builder, place, _FLOATS, v) for v in range(n_vectors)]
        is_first = builder.icmp_signed("==", begin, nothing)
        starts = [builder.select(is_first, zero, builder.load(place, align=4)) for place in places]
        loop = _Loop(builder, begin, end, starts)
        place = _place(builder, uniforms, loop.number, t)
        inputs = [builder.load(_vector_at(builder, place, _FLOATS, v), align=4) for v in range(n_vectors)]
        new = []
        for k in range(n_outputs):
            weight = _in_all_lanes(builder, builder.load(builder.gep(of_outputs[k], [loop.number])), _FLOATS)
            before = loop.values[k * n_vectors : (k + 1) * n_vectors]
            new += [builder.fadd(old, builder.fmul(weight, u)) for old, u in zip(before, inputs, strict=True)]
        loop.close(new)
        for place, total in zip(places, new, strict=True):
            builder.store(total, place, align=4)
        return context.get_dummy_value()

    def step(typing_context, weights, chosen, uniforms, sums, number, row, t, begin, end):
        return types.void(weights, chosen, uniforms, sums, number, row, t, begin, end), generated

    return _step(in_python, step)


def _codes_in_python(sums, row, t, thresholds, rises, count, first_code, out, j):
    """Write the codes of LANES samples from t on: first_code plus the rises of all thresholds that are reached.

    Arrays: (any, any) float32, (>= count,) float32, (>= count,) int32, (any, any) uint16; `count` is 1 at least, and
    `first_code` is int32.
    """
    for s in range(t, t + LANES):
        code = first_code
        for k in range(count):
            if sums[row, s] >= thresholds[k]:
                code += rises[k]
        out[j, s] = code & 0xFFFF


def _codes_step(typing_context, sums, row, t, thresholds, rises, count, first_code, out, j):
    def generated(context, builder, signature, args):
        kinds = signature.args
        sums, thresholds, rises, out = (_array(context, builder, kinds[k], args[k]) for k in (0, 3, 4, 7))
        row, t, count, first_code, j = (args[k] for k in (1, 2, 5, 6, 8))
        reached = builder.load(_vector_at(builder, _place(builder, sums, row, t), _FLOATS), align=4)
        start = _in_all_lanes(builder, first_code, _INTS)
        loop = _Loop(builder, ir.Constant(_LONG, 0), count, [start])
        threshold = _in_all_lanes(builder, builder.load(builder.gep(thresholds.data, [loop.number])), _FLOATS)
        rise = _in_all_lanes(builder, builder.load(builder.gep(rises.data, [loop.number])), _INTS)
        is_passed = builder.fcmp_ordered(">=", reached, threshold)
        code = builder.add(loop.values[0], builder.select(is_passed, rise, ir.Constant(_INTS, [0] * LANES)))
        loop.close([code])
        builder.store(builder.trunc(code, _SHORTS), _vector_at(builder, _place(builder, out, j, t), _SHORTS), align=2)
        return context.get_dummy_value()

    return types.void(sums, row, t, thresholds, rises, count, first_code, out, j), generated


def _step(in_python: Callable, generated: Callable) -> Any:
    return in_python if numba.config.DISABLE_JIT else intrinsic(generated)  # type: ignore[attr-defined]


# As many sums as registers hold beside what is added: six vectors and more.
products_of_six = _products_step(6, 1)
products_of_four = _products_step(4, 1)
products_of_two = _products_step(2, 2)
products_of_one = _products_step(1, 4)
codes_of_lanes = _step(_codes_in_python, _codes_step)
