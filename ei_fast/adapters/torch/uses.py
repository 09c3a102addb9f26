"""Which parameters of a PyTorch model its operations use, and which of them are tables of embeddings."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from ei_fast.adapters.graph.held import Held
from ei_fast.adapters.torch.call import Call

_LOOK_UPS = ("embedding", "embedding_bag")


class Uses:
    """The parameters that what is done at the moment uses.

    Attributes
    ----------
    now : frozenset of str
        Names of the parameters that the function uses which is being called.
    """

    def __init__(self, model: nn.Module | None = None):
        self.now: frozenset[str] = frozenset()
        self._model = model
        named = [] if model is None else list(model.named_parameters())
        self._named = {name: parameter.numel() for name, parameter in named}
        self._n_axes = {name: parameter.dim() for name, parameter in named}
        # By the identity of tensors: of which parameters they are made.
        self._of = {id(parameter): frozenset({name}) for name, parameter in named}
        self._tables: set[str] = set()

    def begin(self) -> None:
        """Nothing is used yet."""
        self.now = frozenset()

    def by(self, call: Call) -> None:
        """A function is called."""
        self.now = self._made_of(call.tensors)
        if call.name in _LOOK_UPS:
            self._tables |= self._made_of([call.given(1, "weight")])

    def by_weights(self, weights: Iterable[torch.Tensor]) -> str:
        """A layer with these weights is applied; return the name of the first, "" where it is no parameter."""
        weights = list(weights)
        self.now = self._made_of(weights)
        return next(iter(self._made_of(weights[:1])), "")

    def by_all_of(self, module: nn.Module) -> None:
        """A module is one map."""
        self.now = self._made_of(module.parameters())

    def made(self, tensors: Iterable[torch.Tensor], made_of: Iterable[torch.Tensor]) -> None:
        """Tensors were made of others alone, and whoever uses them uses those."""
        names = self._made_of(made_of)
        if names:
            self._of |= {id(tensor): names for tensor in tensors}

    def let_go(self, tensors: Iterable[torch.Tensor]) -> None:
        """Tensors are values by themselves, as what was looked up in a table: whoever uses them uses no parameter."""
        for tensor in tensors:
            self._of.pop(id(tensor), None)

    def held(self) -> Held | None:
        """All that the model holds."""
        if self._model is None:
            return None
        modules = dict(self._model.named_modules())
        holders, tables = {}, set(self._tables)
        for name in self._named:
            # What computes a weight of a module stands beside it.
            holder = name.rpartition(".")[0].partition(".parametrizations.")[0]
            module = modules.get(holder, self._model)
            holders[name] = holder, type(module).__name__
            if isinstance(module, (nn.Embedding, nn.EmbeddingBag)):
                tables.add(name)
        return Held(self._named, holders, frozenset(tables))

    def name_of(self, weight: torch.Tensor, module: str) -> str:
        """What a map with this weight is called: as its module, or as its parameter where the module has several."""
        [name] = made_of if len(made_of := self._made_of([weight])) == 1 else [""]
        beside = [one for one in self._named if one.rpartition(".")[0] == name.rpartition(".")[0]]
        several = sum(self._n_axes[one] >= weight.dim() for one in beside) > 1
        return name if name and (several or not module) else module

    def _made_of(self, tensors: Iterable[Any]) -> frozenset[str]:
        return frozenset().union(*(self._of.get(id(tensor), ()) for tensor in tensors))
