"""What a page is made of: chapters, each of one network under one condition, with its runs and their verdicts."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ei_fast.claims.outcomes import Claim
from ei_fast.claims.runs import Run
from ei_fast.claims.verdicts import verdicts_of
from ei_fast.training.trajectory import Trajectory


@dataclass(frozen=True)
class Chapter:
    """A network under one condition.

    Attributes
    ----------
    name : str
        Of its folder.
    title : str
        For people.
    runs : mapping of str to Trajectory
        Trainings with different seeds, one run each.
    counted : mapping of str to Trajectory
        The same with EI by counting joint states, as it was published; empty where that is not known.
    """

    name: str
    title: str
    runs: Mapping[str, Trajectory]
    counted: Mapping[str, Trajectory]

    @property
    def files(self) -> dict[str, str]:
        """Names of the runs' files, without a suffix; all different, also where case does not count."""
        return dict(zip(self.runs, names_apart(self.runs), strict=True))

    @property
    def counted_files(self) -> dict[str, str]:
        """The same of the runs with EI by counting, whether it is known or not."""
        own = self.files
        names = names_apart((f"{own[name]}-counted" for name in self.runs), own.values())
        return dict(zip(self.runs, names, strict=True))

    @property
    def lacks_weights(self) -> int:
        """Number of runs that did not keep weights, so that nothing can be counted."""
        return sum(trajectory.networks is None for trajectory in self.runs.values())

    @property
    def first(self) -> Trajectory:
        """The run that is shown where there is room for one."""
        return next(iter(self.runs.values()))

    @cached_property
    def claims(self) -> tuple[Claim, ...]:
        """Verdicts on the four observations."""
        return verdicts_of(list(self.runs.values()))

    @cached_property
    def counted_claims(self) -> tuple[Claim, ...]:
        """Verdicts by the published counting; none where that is not known."""
        return verdicts_of(list(self.counted.values())) if self.counted else ()

    @property
    def overfitting(self) -> str:
        """What the validation losses do, in a sentence."""
        runs = [Run.of(trajectory) for trajectory in self.runs.values()]
        rises = [100.0 * run.rise for run in runs if run.turn is not None]
        if all(run.validation_loss is None for run in runs):
            return "No validation loss was recorded."
        if not rises:
            return f"In none of {len(runs)} runs the validation loss turns: the network does not overfit."
        least, middle, most = np.percentile(rises, [0, 50, 100])
        by = f"{least:.0f} % to {most:.0f} % (median {middle:.0f} %)" if len(rises) > 1 else f"{middle:.0f} %"
        return f"In {len(rises)} of {len(runs)} runs the validation loss has a minimum, from which it rises by {by}."


def names_apart(texts: Iterable[str], taken: Iterable[str] = ()) -> list[str]:
    """Names for folders or files, one for each text, all different from each other and from those that are taken."""
    used, found = {name.lower() for name in taken}, []
    for text in texts:
        name, k = folder_name(text), 1
        while name.lower() in used:
            k += 1
            name = f"{folder_name(text)}-{k}"
        used.add(name.lower())
        found.append(name)
    return found


def folder_name(text: str) -> str:
    """A name for a folder or file, of letters, digits, dots and dashes."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-.")[:60] or "network"
