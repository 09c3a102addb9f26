"""Whose error it is that comes out of a run of a model: the model's, or this package's."""

from typing import Any

from torch import nn

from ei_fast.adapters.torch.blocks import RunBlock
from ei_fast.adapters.torch.examples import Inputs


def called(model: nn.Module, inputs: Inputs) -> Any:
    """What the model returns."""
    return model(*inputs.args, **inputs.kwargs)


_OF_OTHERS = {called.__qualname__, RunBlock.__call__.__qualname__, "Watcher.__torch_function__"}
"""Functions of this package that call what is the model's."""


def is_ours(error: BaseException) -> bool:
    """Whether it was raised by this package, and neither by the model nor by a function that it calls."""
    last, at = error.__traceback__, None
    while last is not None:
        if last.tb_frame.f_globals.get("__name__", "").startswith("ei_fast."):
            at = last.tb_frame.f_code.co_qualname
        last = last.tb_next
    # What is behind the last of these is a library that one of the two has called.
    return at is not None and at not in _OF_OTHERS
