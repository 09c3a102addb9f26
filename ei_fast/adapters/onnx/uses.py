"""Which stored tensors of an ONNX graph its nodes use, and which of them are parameters."""

from collections.abc import Collection, Sequence
from math import prod

import onnx
from onnx import TensorProto

from ei_fast.adapters.graph.held import Held

_FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16)
_LOOK_UPS = ("Gather", "GatherElements", "GatherND")
# Mean and variance of a batch norm, which are seen and not learned.
_STATISTICS = {"BatchNormalization": (3, 4)}


class Uses:
    """Stored tensors of floating-point numbers, as the nodes of a graph use them.

    What holds one number alone, as an exponent or a small constant, is no parameter.

    Attributes
    ----------
    held : Held
        The parameters of the graph.
    """

    def __init__(self, nodes: Sequence[onnx.NodeProto], stored: Sequence[onnx.TensorProto], moving: Collection[str]):
        sizes = {one.name: prod(one.dims) for one in stored if one.data_type in _FLOATS}
        self._of = {name: frozenset({name}) for name, size in sizes.items() if size > 1}
        tables: set[str] = set()
        holders: dict[str, tuple[str, str]] = {}
        statistics: set[str] = set()
        for node in nodes:
            used = self.of(node)
            for name in used:
                holders.setdefault(name, (node.name or node.output[0], node.op_type))
            for place in _STATISTICS.get(node.op_type, ()):
                statistics |= self._made_of(node.input[place : place + 1])
            if node.op_type in _LOOK_UPS:
                tables |= self._made_of(node.input[:1])
            # What is made of stored tensors alone, as a transposed weight, stands for them.
            self._of |= {name: used for name in node.output if name not in moving}
        self.held = Held({name: sizes[name] for name in holders if name not in statistics}, holders, tables)

    def of(self, node: onnx.NodeProto) -> frozenset[str]:
        """Names of the stored tensors that a node uses, or of which is made what it uses."""
        return self._made_of(node.input)

    def _made_of(self, names: Sequence[str]) -> frozenset[str]:
        return frozenset[str]().union(*(self._of.get(name, ()) for name in names))
