"""What is kept of tensors while a model runs: their numbers once, and none that nobody else has any more."""

import sys
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ei_fast.adapters.torch.call import numbers_of

# Numbers from which on it is worth looking for a copy that is there.
_LARGE = 2**10
# Bytes that are written down between two looks for tensors that nobody has.
_BETWEEN_LOOKS = 2**24


class Copies:
    """Copies of tensors as arrays, one for all that are views of the same numbers."""

    def __init__(self) -> None:
        # By the place in memory of what holds a tensor: its copy, and where in that place it began.
        self._of: dict[int, tuple[torch.Tensor, int]] = {}

    def of(self, tensor: torch.Tensor) -> NDArray[np.floating]:
        """The numbers of a tensor as they are now, whatever becomes of them."""
        plain = tensor.layout == torch.strided and tensor.dtype in (torch.float32, torch.float64)
        if not plain or tensor.numel() < _LARGE or tensor.device.type != "cpu":
            return numbers_of(tensor)
        place = tensor.untyped_storage().data_ptr()
        seen = self._viewed(place, tensor.detach())
        if seen is not None:
            return seen.numpy()
        copied = numbers_of(tensor)
        again = torch.from_numpy(copied)
        if again.stride() == tensor.stride():
            self._of[place] = again, int(tensor.storage_offset())
        return copied

    def _viewed(self, place: int, tensor: torch.Tensor) -> torch.Tensor | None:
        """The same numbers in a copy that was made before; None where there are none."""
        known = self._of.get(place)
        if known is None or known[0].dtype != tensor.dtype:
            return None
        copied, begin = known
        try:
            view = copied.as_strided(tensor.size(), tensor.stride(), tensor.storage_offset() - begin)
        except RuntimeError:
            # It lies beyond what was copied.
            return None
        # They may have been changed since, or what was there is gone and this has come into its place.
        return view if torch.equal(view, tensor) else None


class Tensors(dict[int, tuple[int, torch.Tensor]]):
    """By the identity of a tensor, its number and itself: it is kept, so that none is taken for another that had its
    place in memory. Those that nobody else has any more are let go from time to time, since nothing can be called with
    them.
    """

    def __init__(self) -> None:
        super().__init__()
        self._n_bytes = 0

    def written(self, tensor: torch.Tensor) -> bool:
        """Whether so much was written down, with this tensor, that it is time to look for tensors to let go."""
        self._n_bytes += tensor.numel() * tensor.element_size()
        if self._n_bytes < _BETWEEN_LOOKS:
            return False
        self._n_bytes = 0
        return True

    def let_go(self, moved: dict[int, tuple[Any, ...]]) -> list[int]:
        """Let tensors go that nobody else has, and return their identities, which others may have from now on.

        `moved` has tensors by their identities too, each the first in a tuple; they are let go there as well.
        """
        gone = []
        # What is a view of another comes after it, and holds it.
        for identity in reversed(list(self)):
            ours = _OURS + (identity in moved and moved[identity][0] is self[identity][1])
            # Neither Python nor what PyTorch is written in.
            if sys.getrefcount(self[identity][1]) == ours and self[identity][1]._use_count() == 1:  # type: ignore[attr-defined]
                del self[identity]
                moved.pop(identity, None)
                gone.append(identity)
        return gone


# What is counted of a tensor that nobody else has.
_NOBODYS = {0: (0, torch.empty(0))}
_OURS = sys.getrefcount(_NOBODYS[0][1])
