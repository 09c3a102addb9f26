"""What the package raises and warns of that a program may want to tell from other mistakes.

Each is a kind of the built-in exception or warning that says the same more broadly, so that whoever catches that one
catches these as well. It imports nothing of the package.
"""


class Busy(ValueError):
    """Another process has the file or the shard; what it does there is left alone.

    Raised by a `Recorder` whose file another one has open, by ``ei_fast.demo.page`` for a folder in which another
    process makes a page, and by a batch for shards that another process runs.

    Examples
    --------
    >>> import os, tempfile
    >>> import ei_fast as ef
    >>> estimator = ef.EffectiveInformation()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with ef.Recorder(estimator, path=os.path.join(folder, "run.npz")):
    ...         try:
    ...             ef.Recorder(estimator, path=os.path.join(folder, "run.npz"))
    ...         except ef.Busy:
    ...             print("another recorder has it")
    another recorder has it
    """


class Incomplete(ValueError):
    """Some checkpoints of a batch have no result, and whoever merges it has not said that they may be left out.

    Examples
    --------
    >>> import ei_fast as ef
    >>> from ei_fast.cluster import merge
    >>> try:
    ...     merge("batch")
    ... except ef.Incomplete as error:
    ...     print(error)  # doctest: +SKIP
    """


class CannotWrite(OSError):
    """A file could not be written: there is no room for it, or no permission. What had been written before stays.

    Examples
    --------
    >>> import ei_fast as ef
    >>> from ei_fast.cluster import run
    >>> try:
    ...     run("batch")
    ... except ef.CannotWrite as error:
    ...     print(error)  # doctest: +SKIP
    """


class MissingExtra(ImportError):
    """A package is needed that one of the extras of ei_fast brings; the message says which.

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> report = ef.analyze([np.eye(2)], activation="linear", bins=4)
    >>> try:
    ...     frame = report.to_frame()
    ... except ef.MissingExtra as error:
    ...     print(error)  # doctest: +SKIP
    """


class CompileCacheWarning(RuntimeWarning):
    """The machine code of kernels cannot be kept on disk, or not be read from there: every process compiles it anew.

    Figures are the same; measuring begins some half a minute later.

    Examples
    --------
    >>> import warnings
    >>> import ei_fast as ef
    >>> warnings.filterwarnings("ignore", category=ef.CompileCacheWarning)
    """


class RecordingWarning(UserWarning):
    """Something of a training is not recorded, or not over the ranges that were asked for; the training goes on.

    Examples
    --------
    >>> import warnings
    >>> import ei_fast as ef
    >>> warnings.filterwarnings("error", category=ef.RecordingWarning)
    """


class BatchWarning(UserWarning):
    """A checkpoint of a batch is left out or gives no ranges, a result is computed again, or a folder has no locks.

    Examples
    --------
    >>> import warnings
    >>> import ei_fast as ef
    >>> warnings.filterwarnings("error", category=ef.BatchWarning)
    """


def missing_extra(wanted: str, package: str, extra: str) -> MissingExtra:
    """The exception that says what needs a package which is not there, and how to get it.

    Parameters
    ----------
    wanted : str
        What was to be done, or read, at the beginning of the sentence.
    package : str
        The package, or several, by the names that users know.
    extra : str
        The extra of ei_fast that brings it.

    Returns
    -------
    MissingExtra
        To be raised, from the ImportError where there was one.
    """
    return MissingExtra(f'{wanted} needs {package}: pip install "ei_fast[{extra}]".')
