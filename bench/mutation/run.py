"""Mutation testing of measures, bins, activations and interventions: whether tests notice that code is changed.

    pip install -e ".[mutation]"
    python bench/mutation/run.py clean             # runs the tests once, unchanged, and notes which lines each reaches
    python bench/mutation/run.py mutants           # mutants of a sample of the code, against the tests that reach them
    python bench/mutation/run.py report            # how many were killed, and the changes that no test noticed

The code is changed in place: run it in a copy of the repository (`git worktree add`). `--again FILE` runs those that
survived in FILE once more, against new tests.
"""

import argparse
import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, replace
from difflib import unified_diff
from pathlib import Path
from typing import Any

import pytest
from reached import Reached, seconds_of_log
from sites import ROOT, Mutant, drawn

TESTS = (
    *("tests/network", "tests/intervention", "tests/measures", "tests/functions", "tests/kernels", "tests/results"),
    *("tests/test_estimator.py", "tests/test_groups.py", "tests/test_golden.py", "tests/test_parallel.py"),
    *("tests/test_odd_input.py", "tests/test_hostile_input.py", "tests/test_reproducible.py", "tests/test_report.py"),
    *("tests/test_published.py", "tests/test_pickle.py"),
)
N_MUTANTS, SEED = 340, 28
BUDGET = 30.0
"""Seconds of a clean run that the tests of one mutant may take; those that take longest are left out."""
_FIRST = 20
_MOST_SHIFTED = 12
"""Places of one kind by which a file may have changed before one that is tried again."""
_LOADED = (
    *("numpy", "scipy.stats", "scipy.special", "scipy.integrate", "scipy.optimize", "numba", "sklearn", "joblib"),
    *("matplotlib.pyplot", "hypothesis", "pandas", "mpmath", "_pytest.pytester"),
)

_LOADED_BEFORE = "ignore:Module already imported so cannot be rewritten:pytest.PytestAssertRewriteWarning"


class Chosen:
    """A plugin of pytest: keeps only the tests chosen, in their order, and ends the process where one takes too long.

    Parameters
    ----------
    tests : list of str
        Node ids.
    limits : dict of str to float
        Seconds after which a test is taken to hang.
    told : Path
        Where the first test that fails is written.
    """

    def __init__(self, tests: list[str], limits: dict[str, float], told: Path):
        self._place = {test: k for k, test in enumerate(tests)}
        self._limits, self._told = limits, told

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items[:] = sorted((one for one in items if one.nodeid in self._place), key=lambda one: self._place[one.nodeid])

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: Any) -> Any:
        self._told.write_text(item.nodeid, encoding="utf-8")
        signal.setitimer(signal.ITIMER_REAL, self._limits[item.nodeid])
        result = yield
        signal.setitimer(signal.ITIMER_REAL, 0)
        return result


def clean(folder: Path) -> None:
    """Run the tests unchanged; keep what they reach and how long they take."""
    environment = os.environ | {"COVERAGE_FILE": str(folder / "coverage")}
    options = ["-q", "--no-header", "--cov=ei_fast", "--cov-context=test", "--cov-report=", "--durations=0", "-vv"]
    # In processes of pytest-xdist: in its own, pytest-cov notes no tests.
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *TESTS, *options], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    print(done.stdout.splitlines()[-1])
    if done.returncode:
        sys.exit("Tests fail without any change: mend them first.")
    (folder / "seconds.json").write_text(json.dumps(seconds_of_log(done.stdout)), encoding="utf-8")


def outcome(tests: list[str], reached: Reached, folder: Path) -> tuple[str, str]:
    """What the tests say to the code as it stands: killed, timeout or survived, and by which test.

    They run in a fork of this process, which has imported everything but the code that is changed.
    """
    told, log = folder / "told", folder / "log"
    told.write_text("collection", encoding="utf-8")
    child = os.fork()
    if child == 0:
        os.setsid()
        os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
        os.dup2(1, 2)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, 90)
        plugin = Chosen(tests, {test: 15 + 8 * reached.seconds(test) for test in tests}, told)
        files = list(dict.fromkeys(test.split("::")[0] for test in tests))
        options = ["-x", "-q", "-n0", "--tb=short", "-p", "no:cacheprovider", "-W", _LOADED_BEFORE]
        code = pytest.main([*files, *options], plugins=[plugin])
        os._exit(int(code))
    _, status = os.waitpid(child, 0)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    if os.WIFSIGNALED(status):
        kind = "timeout" if os.WTERMSIG(status) == signal.SIGALRM else "killed"
        return kind, told.read_text(encoding="utf-8")
    if os.WEXITSTATUS(status) == 0:
        return "survived", ""
    return "killed", told.read_text(encoding="utf-8")


def tried(mutant: Mutant, reached: Reached, folder: Path, budget: float) -> dict[str, Any]:
    """Change the code, run the tests, and put the code back."""
    tests, n_left_out = reached.tests(mutant, budget)
    path = ROOT / mutant.path
    before, stat = path.read_text(encoding="utf-8"), path.stat()
    after = mutant.code()
    assert after is not None
    begun = time.monotonic()
    try:
        path.write_text(after, encoding="utf-8")
        said, by = "survived", ""
        # Most are killed by the first tests: the files of the others are not even collected.
        for some in (tests[:_FIRST], tests[_FIRST:]):
            if some and said == "survived":
                said, by = outcome(some, reached, folder)
    finally:
        path.write_text(before, encoding="utf-8")
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    return asdict(mutant) | {
        **{"outcome": said, "by": by, "n_tests": len(tests), "left_out": n_left_out},
        **{"seconds": round(time.monotonic() - begun, 1), "diff": difference(before, after)},
    }


def mutants(folder: Path, chosen: Iterable[Mutant], name: str, budget: float) -> None:
    """Try all that have not been tried, and write down each as soon as it has been."""
    reached = Reached(folder / "coverage", folder / "seconds.json")
    results = folder / name
    known = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
    done = {(one["path"], one["operator"], one["occurrence"]) for one in map(json.loads, known)}
    # Neither the changed file nor what imports it may leave compiled code behind.
    sys.dont_write_bytecode = True
    for module in (
        *_LOADED,
        *(f"ei_fast.kernels.{path.stem}" for path in (ROOT / "ei_fast/kernels").glob("[a-z]*.py")),
    ):
        importlib.import_module(module)
    for mutant in chosen:
        if (mutant.path, mutant.operator, mutant.occurrence) in done:
            continue
        result = tried(mutant, reached, folder, budget)
        with results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(result) + "\n")
        print(f"{result['outcome']:9} {result['seconds']:6} s  {mutant.path}:{mutant.line}  {result['by']}", flush=True)
    control(results, reached, folder)


def control(results: Path, reached: Reached, folder: Path) -> None:
    """Run every test that has killed a mutant once more, without any change, and end where one fails."""
    tests = {json.loads(line)["by"] for line in results.read_text(encoding="utf-8").splitlines()} - {"", "collection"}
    said, by = outcome(sorted(tests), reached, folder) if tests else ("survived", "")
    if said != "survived":
        sys.exit(f"{by} fails without any change ({said}), so that what it killed says nothing: {folder / 'log'}.")
    print(f"{len(tests)} tests have killed mutants; without any change all of them pass.")


def report(results: Path) -> None:
    """Print the rate with its interval, and what survived."""
    from scipy.stats import beta

    tried = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
    n, killed = len(tried), sum(one["outcome"] != "survived" for one in tried)
    low, high = beta.ppf(0.025, killed, n - killed + 1), beta.ppf(0.975, killed + 1, n - killed)
    print(f"{killed} of {n} killed: {killed / n:.1%}, 95 % interval {low:.1%} to {high:.1%}")
    for one in tried:
        if one["outcome"] == "survived":
            print(f"\n{one['path']}:{one['line']} ({one['n_tests']} tests, {one['left_out']} left out)\n{one['diff']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["clean", "mutants", "report"])
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "mutation")
    parser.add_argument("--n", type=int, default=N_MUTANTS, help="how many mutants")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--budget", type=float, default=BUDGET, help="seconds of clean tests for each mutant")
    parser.add_argument("--again", type=Path, help="results of which those that survived are tried once more")
    parser.add_argument("--name", default="results.jsonl", help="file of the results in the folder")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.what == "clean":
        clean(given.folder)
    elif given.what == "mutants":
        chosen = drawn(given.n, given.seed) if given.again is None else _survivors(given.again)
        mutants(given.folder, chosen, given.name, given.budget)
    else:
        report(given.folder / given.name)


def _survivors(results: Path) -> list[Mutant]:
    tried = map(json.loads, results.read_text(encoding="utf-8").splitlines())
    found = (_as_it_is_now(one) for one in tried if one["outcome"] == "survived")
    return [mutant for mutant in found if mutant is not None]


def _as_it_is_now(tried: dict[str, Any]) -> Mutant | None:
    """The same change of a file that may have changed since; None where what it changes is gone."""
    names = Mutant.__dataclass_fields__
    then, before = Mutant(**{name: tried[name] for name in names}), (ROOT / tried["path"]).read_text(encoding="utf-8")
    for shift in sorted(range(-_MOST_SHIFTED, _MOST_SHIFTED + 1), key=abs):
        now = replace(then, occurrence=then.occurrence + shift)
        after = now.code() if now.occurrence >= 0 else None
        if after is not None and _changed(difference(before, after)) == _changed(tried["diff"]):
            line = int(difference(before, after).splitlines()[2].split()[1].strip("-").split(",")[0])
            return replace(now, line=line, last_line=line + then.last_line - then.line)
    print(f"gone: {tried['path']}:{tried['line']}")
    return None


def difference(before: str, after: str) -> str:
    """What differs, in the way of `diff`."""
    return "\n".join(unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm=""))


def _changed(diff: str) -> list[str]:
    return [line for line in diff.splitlines()[2:] if not line.startswith("@@")]


if __name__ == "__main__":
    main()
