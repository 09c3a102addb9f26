"""Small networks on Iris and MNIST, measured as they train, and a page with a verdict on each claim about them."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from ei_fast.training.trajectory import Trajectory


def page(
    out: str | os.PathLike[str],
    runs: Sequence[str | os.PathLike[str]] | Mapping[str, Trajectory] | None = None,
    *,
    quick: bool = False,
    seed: int = 0,
    counting: bool = True,
    n_jobs: int | None = None,
    verbose: int = 1,
) -> Path:
    """Make a page of layers that move through the causal plane, with a verdict on each of the four claims about them.

    Without `runs` the two networks of the first videos and others of the paper are trained, each on all rows of its
    data, and on few rows of which a fifth has a wrong label, so that it overfits: 64 runs, some 15 minutes on two
    cores. What is in the folder already is not made again: after an interruption the same call completes it, to the
    same bytes of data.

    Parameters
    ----------
    out : str or path
        Folder for ``index.html``, a folder for each network with its video, player and pictures, and ``data``: every
        run as ``.npz`` and ``.csv``, ``verdicts.csv``; ``how.json`` says how it was made. It opens from disk, and
        fetches nothing.
    runs : sequence of path, or mapping of str to Trajectory, optional
        One's own recordings: runs of the same layers that were measured in one way are seeds of one network. Verdicts
        need three of them, with metrics whose names have "loss", one of them also a word like "val" or "test". Files
        may hold several runs. Networks of other recordings that the folder shows are removed from it.
    quick : bool, default False
        Train the two networks of the first videos only, half as long, with three seeds.
    seed : int, default 0
        The first seed.
    counting : bool, default True
        Whether joint states of one's own recordings are counted too, as in the paper, where weights were kept: of a
        hundred records of a few dozen neurons that takes seconds, of a thousand neurons many minutes.
    n_jobs : int, optional
        Processes; where not given the cores that this one may use.
    verbose : int, default 1
        Above 0 progress bars count runs and networks.

    Returns
    -------
    Path
        Of ``index.html``.

    Raises
    ------
    ImportError
        Where a package is missing that the extra ``page`` brings.
    TypeError, ValueError
        For a file that is no trajectory, for one training given twice, or a folder that holds another page.

    Examples
    --------
    >>> import ei_fast.demo
    >>> ei_fast.demo.page("page", ["run-0.npz", "run-1.npz", "run-2.npz"])  # doctest: +SKIP
    PosixPath('page/index.html')
    """
    from ei_fast.demo.pages import make_page

    return make_page(out, runs, quick=quick, seed=seed, counting=counting, n_jobs=n_jobs, verbose=bool(verbose))
