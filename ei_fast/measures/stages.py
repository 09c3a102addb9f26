"""How the work of a measure is divided: into stages, whose parts threads, processes and jobs of a cluster may compute.

A measure is a *method*: a generator that yields its stages one after the other, receives the arrays of each, and
returns its result. What it yields may also be a tuple of stages and of other methods that do not depend on each other;
it then receives a list of their arrays and results. A method does not know who does the work: `Runner` does all of it
here, in threads; others drive the same method and keep the arrays of every part of a stage in a file.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import numpy as np

from ei_fast.intervention.do import Intervention
from ei_fast.runtime.threads import Threads

Arrays = tuple[np.ndarray, ...]
Result = TypeVar("Result")


class Stage(ABC):
    """Work that falls into items: cells, samples, inputs or outputs.

    What `compute` returns for some items depends on nothing but the stage and these items, and what `join` makes of
    the arrays of consecutive parts does not depend on where one ends and the next begins. So one seed gives the same
    bits however the work is divided.

    Attributes
    ----------
    is_shared : bool
        Whether jobs divide the stage among them; a pilot, for example, is done as a whole by each that needs it.
    """

    is_shared: bool = True

    @property
    @abstractmethod
    def name(self) -> str:
        """Different from that of every other stage of the measure; files of parts are named by it."""

    @property
    @abstractmethod
    def n_items(self) -> int:
        """Number of items."""

    @property
    def is_thread_safe(self) -> bool:
        """Whether several threads may compute at a time; a user's function need not be safe."""
        return True

    @abstractmethod
    def compute(self, begin: int, end: int, threads: Threads) -> Arrays:
        """Arrays of items `begin` to `end` - 1."""

    def join(self, parts: Sequence[Arrays]) -> Arrays:
        """Arrays of all items, from those of consecutive parts."""
        return below_each_other(parts)


class SimulationStage(Stage):
    """A stage that draws samples of an intervention.

    Attributes
    ----------
    intervention : Intervention
        Says whether several threads may draw at a time.
    """

    intervention: Intervention

    @property
    def is_thread_safe(self) -> bool:
        return self.intervention.is_thread_safe


Method = Generator[Any, Any, Result]
"""Yields a `Stage`, `InThreads`, another method, a `Named` one, or a tuple of such; returns the result."""


@dataclass(frozen=True)
class Named:
    """A method whose stages are named apart from those of others: by a layer, or by a measure of it."""

    name: str
    method: Method[Any]


@dataclass(frozen=True, eq=False)
class InThreads:
    """A plain call inside a method: it gets the threads that there are, and its result is kept in no file.

    Every job of a split measure calls it, at every attempt.
    """

    function: Callable[[Threads], Any]


def below_each_other(parts: Sequence[Arrays]) -> Arrays:
    """The arrays of all parts, one below the other."""
    return tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))


def items_of_part(n_items: int, k: int, n_parts: int) -> tuple[int, int]:
    """The first of the items of part number k of a stage, and the first of the next part's."""
    return n_items * k // n_parts, n_items * (k + 1) // n_parts


class Unfinished:
    """What a runner answers where the work of others is missing."""


UNFINISHED = Unfinished()


class Runner:
    """Drives methods in this process: every stage as a whole, in threads.

    Parameters
    ----------
    threads : Threads
    """

    def __init__(self, threads: Threads):
        self.threads = threads

    def named(self, name: str) -> Self:
        """The runner for what is named so; this one, since names are for those who keep files."""
        return self

    def run(self, method: Method[Any]) -> Any:
        """The method's result, or UNFINISHED."""
        answer: Any = None
        while True:
            try:
                request = method.send(answer)
            except StopIteration as end:
                return end.value
            answer = self._answer(request)
            if answer is UNFINISHED:
                method.close()
                return answer

    def _answer(self, request: Any) -> Any:
        if isinstance(request, Stage):
            return self.arrays_of(request)
        if isinstance(request, InThreads):
            return request.function(self.threads)
        if isinstance(request, tuple):
            # All of them, even where one is unfinished: they are independent.
            answers = [self._answer(one) for one in request]
            return UNFINISHED if any(answer is UNFINISHED for answer in answers) else answers
        if isinstance(request, Named):
            return self.named(request.name).run(request.method)
        return self.run(request)

    def arrays_of(self, stage: Stage) -> Any:
        """Arrays of a stage, or UNFINISHED."""
        return self.computed(stage, 0, stage.n_items)

    def computed(self, stage: Stage, begin: int, end: int) -> Arrays:
        """Arrays of some items of a stage, computed now."""
        return stage.compute(begin, end, self.threads if stage.is_thread_safe else self.threads.alone())


def run_here(method: Method[Result], threads: Threads) -> Result:
    """The result of a method, all of whose stages are done in this process."""
    result: Result = Runner(threads).run(method)
    return result
