"""Which parameters of a Keras model its operations use, and which of them are tables of embeddings."""

from collections.abc import Mapping
from math import prod
from typing import Any

import keras

from ei_fast.adapters.graph.held import Held


class Uses:
    """The parameters that what is done at the moment uses.

    Attributes
    ----------
    now : frozenset of str
        Names of the parameters that the operation uses which is being done.
    """

    def __init__(self, model: keras.Layer, names: Mapping[int, str]):
        self.now: frozenset[str] = frozenset()
        self._sizes: dict[str, int] = {}
        self._holders: dict[str, tuple[str, str]] = {}
        self._tables: set[str] = set()
        self._of: dict[int, str] = {}
        self._own: dict[str, list[str]] = {}
        self._names = names
        # What is found by its identity lives as long as this.
        self._kept: list[Any] = []
        for layer in [model, *model._flatten_layers(include_self=False)]:
            self._take(layer)

    def _take(self, layer: keras.Layer) -> None:
        names = []
        for variable in layer._trainable_variables:
            if id(variable) not in self._of:
                name = f"{len(self._sizes)}:{variable.path}"
                value = variable.value
                self._kept += [variable, value]
                self._of |= {id(variable): name, id(value): name}
                self._sizes[name] = prod(variable.shape)
                self._holders[name] = str(id(layer)), type(layer).__name__
                if isinstance(layer, keras.layers.Embedding):
                    self._tables.add(name)
            names.append(self._of[id(variable)])
        self._own[self._names.get(id(layer), layer.name)] = names

    def by(self, arguments: Any, layer: str) -> None:
        """An operation is done with these arguments, by the layer of this name."""
        found, unknown = set(), []
        for one in keras.tree.flatten(arguments):
            if isinstance(one, keras.KerasTensor) or not hasattr(one, "shape"):
                continue
            name = self._of.get(id(one))
            if name is None:
                unknown.append(prod(one.shape))
            else:
                found.add(name)
        # What was cast or copied is told by its size, among what its layer holds.
        own = self._own.get(layer, [])
        self.now = frozenset(found.union(name for name in own if self._sizes[name] in unknown))

    def by_all_of(self, layer: keras.Layer) -> None:
        """A layer is run as it is, with all that it holds."""
        self.now = frozenset(
            self._of[id(variable)]
            for one in (layer, *layer._flatten_layers(include_self=False))
            for variable in one._trainable_variables
            if id(variable) in self._of
        )

    def held(self) -> Held:
        """All that the model holds."""
        return Held(self._sizes, self._holders, frozenset(self._tables))
