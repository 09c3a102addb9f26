"""Layers in a network's order, each of which is found by its name too."""

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar, overload


class Named(Protocol):
    """What has a name."""

    @property
    def name(self) -> str: ...


L = TypeVar("L", bound=Named)


class LayersByName(Sequence[L]):
    """A sequence of layers: ``layers[0]``, ``layers["fc1"]``. What it is made of sets `_layers`."""

    _layers: tuple[L, ...]

    def __len__(self) -> int:
        return len(self._layers)

    def __iter__(self) -> Iterator[L]:
        return iter(self._layers)

    @overload
    def __getitem__(self, index: int | str) -> L: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[L]: ...
    def __getitem__(self, index: int | str | slice) -> L | Sequence[L]:
        if isinstance(index, str):
            for layer in self._layers:
                if layer.name == index:
                    return layer
            raise KeyError(f"{index!r}: the layers are {', '.join(layer.name for layer in self._layers)}")
        return self._layers[index]
