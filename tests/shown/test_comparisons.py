"""What notebooks are given of comparisons, nulls, ablations, profiles and noise-form EI: what is printed, no more."""

import numpy as np
import pytest
from read_html import Read

import ei_fast as ef

EVIL = "<script>alert('x')</script>"
WEIGHT = np.random.default_rng(0).normal(0, 1.5, (3, 3))
LAYER = ef.Layer(WEIGHT, name=EVIL)


def _made():
    report = ef.analyze(LAYER, random_state=0)
    yield ef.compare(report, ef.analyze(ef.Layer(2 * WEIGHT, name=EVIL), random_state=0))
    yield ef.null_report(LAYER, "shuffled", n=5, random_state=0)
    for what in ("inputs", "outputs", "edges"):
        yield ef.ablation(LAYER, what, random_state=0)
    yield ef.information_profile(LAYER, random_state=0)
    yield ef.jacobian_ei(LAYER, noise=0.1, random_state=0)


@pytest.mark.parametrize("shown", _made(), ids=lambda one: type(one).__name__)
def test_the_table_is_shown_and_nothing_runs(shown):
    read = Read(shown._repr_html_())
    assert "script" not in read.tags
    cells = read.said_in("td", "bdi")
    assert len(cells) > 3
    printed = str(shown)
    if not printed.startswith("JacobianEI"):
        for cell in cells:
            assert cell in printed
