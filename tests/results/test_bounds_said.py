"""A table says of which layers bounds are all that is known."""

import numpy as np

import ei_fast as ef


def test_a_table_says_that_a_midpoint_is_no_estimate():
    weight = np.random.default_rng(0).normal(size=(120, 90)) / 10
    report = ef.analyze({"w0": weight, "w1": weight.T[:, :2]}, effort=0.01, pairwise="none", random_state=0)
    assert [("undersampled" in layer.flags) for layer in report] == [True, False]
    low, high = report[0].ei_interval
    assert report[0].ei == 0.5 * (low + high)
    (line,) = [line for line in str(report).splitlines() if line.startswith("undersampled")]
    assert line.startswith("undersampled (1 layer): EI lies between the two ends of its interval")
    assert line in report._repr_html_().replace("&#x27;", "'")
    # What it advises narrows them.
    more = ef.analyze({"w0": weight}, effort=0.5, pairwise="none", random_state=0)[0].ei_interval
    assert more[1] - more[0] < high - low
    assert "undersampled" not in str(ef.analyze({"w0": np.eye(2)}, random_state=0))
