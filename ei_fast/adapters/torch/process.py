"""A process in which a model may run, and which is then as it was."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import cache
from itertools import count
from threading import RLock

import torch
from threadpoolctl import ThreadpoolController

from ei_fast.adapters.runs import draws_left_to_the_caller

_runs = count()

_PROCESS = RLock()
"""Held while the process is not as its owner left it."""

_SMALL = 2**16
"""Most weights of a model that is run in one thread: to wake another can take longer than the run."""


@cache
def _openmp() -> ThreadpoolController:
    """The threads of OpenMP: of this thread only, where `torch.set_num_threads` changes what MKL does from then on."""
    return ThreadpoolController().select(user_api="openmp")


@contextmanager
def process_of_its_own(inputs: Sequence[torch.Tensor], held: Sequence[torch.Tensor]) -> Iterator[None]:
    """Within this, a model that holds these tensors may be run on inputs, and the process is then as it was.

    What is drawn is drawn anew, and differs from run to run: a model that draws its weights when it runs does not do
    the same for all inputs, and is found out by that.
    """
    is_small = len(inputs) == 1 and inputs[0].ndim == 2 and sum(tensor.numel() for tensor in held) <= _SMALL
    with (
        _PROCESS,
        # Made inside of the lock: it holds from when it is made.
        _openmp().limit(limits=1) if is_small else nullcontext(),
        draws_left_to_the_caller(),
        torch.random.fork_rng(devices=[]),
    ):
        # Not `torch.manual_seed`, which sets those of other devices as well.
        torch.default_generator.manual_seed(next(_runs))
        yield
