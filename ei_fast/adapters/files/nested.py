"""Which of the dicts inside each other that a checkpoint consists of is the state dict of a network."""

import re
from collections.abc import Callable, Mapping
from typing import Any

WRAPPERS = ("state_dict", "model_state_dict", "model")
"""What a network is called beside its training."""

_MAX_DEPTH = 6
# What sharded and checkpointed trainings put between the names of modules, which nobody calls a layer.
_INSIDE = re.compile(r"(?:^|(?<=\.))(?:_fsdp_wrapped_module|_checkpoint_wrapped_module|_forward_module)\.")

Skipped = list[tuple[str, str]]


class Levels:
    """Dicts inside each other, looked into as deep as checkpoints go.

    Parameters
    ----------
    tensor_type : type
    """

    def __init__(self, tensor_type: type):
        self._tensor_type = tensor_type

    def is_network(self, value: Any) -> bool:
        """Whether a value is a dict with the weight of a layer in it."""
        return isinstance(value, Mapping) and any(
            isinstance(key, str) and key.endswith(".weight") and isinstance(entry, self._tensor_type)
            for key, entry in value.items()
        )

    def has_network(self, value: Any) -> bool:
        """Whether a value is such a dict, or has one in it."""
        return self._any(value, self.is_network, Mapping)

    def has_tensor(self, value: Any) -> bool:
        """Whether a value is a tensor, or a dict with one in it."""
        return self._any(value, lambda one: isinstance(one, self._tensor_type), (Mapping, list, tuple))

    def _any(self, value: Any, is_so: Callable[[Any], bool], kinds: Any) -> bool:
        # A file may refer to the same dict from many places, also inside itself.
        waiting, met = [(value, 0)], set()
        while waiting:
            one, depth = waiting.pop()
            if is_so(one):
                return True
            if isinstance(one, kinds) and depth < _MAX_DEPTH and id(one) not in met:
                met.add(id(one))
                inside = one.values() if isinstance(one, Mapping) else one
                waiting += [(entry, depth + 1) for entry in inside]
        return False

    def opened(self, content: Mapping[Any, Any], prefix: str) -> tuple[Mapping[Any, Any], Skipped]:
        """The state dict in a checkpoint, or the networks that it has by name, and what stands beside these.

        Parameters
        ----------
        prefix : str
            What was asked for: a network beside the one that is read where nothing is; "" for nothing.
        """
        skipped: Skipped = []
        for _ in range(_MAX_DEPTH):
            asked = self._asked_for(content, prefix)
            if asked is not None:
                return {asked: content[asked]}, [*skipped, *self._beside(content, [asked])]
            wrapper = self._wrapper(content)
            if wrapper is None:
                break
            skipped += self._beside(content, [wrapper])
            content = content[wrapper]
        if self.is_network(content):
            return content, skipped
        networks = [key for key, value in content.items() if self.has_network(value)]
        if len(networks) > 1:
            # Which of them is meant is asked for where their layers are read.
            skipped += [(str(key), "no network") for key in content if key not in networks]
            content = {key: content[key] for key in networks}
        return content, skipped

    def _asked_for(self, content: Mapping[Any, Any], prefix: str) -> str | None:
        """The key that a prefix begins with, of a network that stands beside another one."""
        wrapper = self._wrapper(content)
        if wrapper is None or not prefix:
            return None
        inside = content[wrapper]
        if any(isinstance(key, str) and key.startswith((f"{prefix}.", f"{prefix}/")) for key in inside):
            return None
        beside = [key for key, value in content.items() if key != wrapper and self.has_network(value)]
        return next((key for key in beside if key == prefix or prefix.startswith((f"{key}.", f"{key}/"))), None)

    def _wrapper(self, content: Mapping[Any, Any]) -> str | None:
        """The name under which the only network stands, or the one that is no copy of it; None where there is none."""
        known = [key for key in WRAPPERS if isinstance(content.get(key), Mapping)]
        if known:
            return known[0]
        if self.is_network(content):
            return None
        networks = [key for key, value in content.items() if self.has_network(value)]
        alone = networks[0] if len(networks) == 1 else None
        return alone if isinstance(content.get(alone), Mapping) else None

    def _beside(self, content: Mapping[Any, Any], taken: list[str]) -> Skipped:
        """A second set of weights, and tensors of the training, but not its bookkeeping."""
        others = [key for key, value in content.items() if key not in taken and self.has_tensor(value)]
        return [(str(key), f"beside {taken[0]!r}") for key in others]


def without_wrappers_inside(entries: dict[str, Any]) -> dict[str, Any]:
    """The entries without what sharded and checkpointed trainings put into names; as they are if two clash."""
    bare = [_INSIDE.sub("", key) for key in entries]
    return dict(zip(bare, entries.values(), strict=True)) if len(set(bare)) == len(entries) else entries
