"""What the layers of an ONNX model were called where they were made."""

from ast import literal_eval
from collections.abc import Collection, Iterable, Sequence

import onnx


class Names:
    """What layers were called where they were made: PyTorch names weights so, and exporters nodes."""

    def __init__(self, nodes: Sequence[onnx.NodeProto], stored: Collection[str]):
        self._stored = stored
        self._made_by = {name: node for node in nodes for name in node.output}
        self._readers: dict[str, list[onnx.NodeProto]] = {}
        for node in nodes:
            for name in node.input:
                self._readers.setdefault(name, []).append(node)

    def of(self, node: onnx.NodeProto) -> str:
        given = node.name.strip("/").removesuffix(f"/{node.op_type}").replace("/", ".") or node.op_type
        if (name := _owner(node.input[1:2], _WEIGHTS)) is not None:
            return name
        # Other names of nodes are paths of modules.
        if "/" in node.name or node.op_type not in ("MatMul", "Gemm", "Conv"):
            return given
        return self._of_weight(node) or self._of_bias(node) or _scope(node) or given

    def module_of(self, node: onnx.NodeProto) -> str | None:
        """The module of PyTorch that a node does the work of; None where that is not told."""
        if "/" in node.name:
            return node.name.strip("/").rpartition("/")[0].replace("/", ".") or node.op_type.lower()
        return _scope(node)

    def _of_weight(self, node: onnx.NodeProto) -> str | None:
        """As a weight is called that is transposed, or the like, on its way."""
        for name in node.input:
            while name in self._made_by and name not in self._stored:
                before = [one for one in self._made_by[name].input if one][:1]
                if not before or self._made_by[name].op_type not in ("Transpose", "Cast", "Identity", "Reshape"):
                    break
                [name] = before
            if name in self._stored and (owner := _owner([name], _WEIGHTS)) is not None:
                return owner
        return None

    def _of_bias(self, node: onnx.NodeProto) -> str | None:
        """As the bias is called that is given to it, or added to all that comes out."""
        readers = [one for name in node.output for one in self._readers.get(name, ())]
        added = readers[0].input if len(readers) == 1 and readers[0].op_type == "Add" else []
        held = [name for name in (*node.input, *added) if name in self._stored]
        return _owner(held, _BIASES)


_WEIGHTS, _BIASES = (".weight", ".kernel", "/kernel"), (".bias", "/bias")


def _owner(names: Iterable[str], endings: Sequence[str]) -> str | None:
    """The layer that holds the first of some tensors that is named after one."""
    return next((one.removesuffix(end) for one in names for end in endings if one.endswith(end) and one != end), None)


def _scope(node: onnx.NodeProto) -> str | None:
    """The innermost module in which PyTorch has met a node, as its exporter notes it."""
    stated = next((one.value for one in node.metadata_props if one.key == "pkg.torch.onnx.name_scopes"), "")
    try:
        scopes = literal_eval(stated) if stated else []
    except (ValueError, SyntaxError):
        return None
    # The last is the node itself.
    named = [one for one in scopes[:-1] if isinstance(one, str) and one] if isinstance(scopes, list) else []
    return named[-1] if named else None
