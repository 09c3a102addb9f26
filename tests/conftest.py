"""What all tests share."""

import os

import absent
import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")
# Read when Keras is imported; tests of Keras run in processes of other backends as well.
os.environ.setdefault("KERAS_BACKEND", "torch")
# Read when JAX is: nothing runs long enough to be worth optimising.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")


@pytest.fixture
def random_weight():
    """Weights uniform in ±scale/sqrt(n_in), as the networks of the paper start."""

    def make(n_in, n_out, scale=1.0, seed=0):
        return np.random.default_rng(seed).uniform(-1, 1, (n_in, n_out)) * scale / np.sqrt(n_in)

    return make


@pytest.fixture
def no_work(monkeypatch):
    """Any measurement fails."""

    def work(*args, **kwargs):
        pytest.fail("work was begun before the input was checked")

    monkeypatch.setattr("ei_fast.estimator.layers.measure_layer", work)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """Skip a file that imports a framework that is not installed."""
    report = yield
    return _skipped_without_framework(report, collector.path, str(report.longrepr))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Skip a test that imports a framework that is not installed."""
    report = yield
    is_import = call.excinfo is not None and isinstance(call.excinfo.value, ImportError)
    return _skipped_without_framework(report, item.path, str(call.excinfo.value) if is_import else "")


def _skipped_without_framework(report, path, said):
    why = absent.why_skipped(said) if report.failed else None
    if why is not None:
        report.outcome, report.longrepr = "skipped", (str(path), 0, f"Skipped: {why}")
    return report


def pytest_terminal_summary(terminalreporter):
    """Say for each reason how often tests were skipped, and how to run them."""
    skipped = [report.longrepr for report in terminalreporter.stats.get("skipped", [])]
    for line in absent.summary(told[2].removeprefix("Skipped: ") for told in skipped if isinstance(told, tuple)):
        terminalreporter.write_line(line)
