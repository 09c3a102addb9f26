"""What measuring a layer of a large checkpoint takes, beside what it makes: one layer at a time, and little more."""

import subprocess
import sys

import numpy as np
import pytest

from ei_fast.intervention.dense import as_writable

_MEASURED = """
import sys
import tracemalloc

import numpy as np
from safetensors.numpy import save_file

import ei_fast as ef
from ei_fast.adapters.dicts import alone

# So small a file would be read at once.
alone.HELD_BYTES = 0
path, bins = sys.argv[1], int(sys.argv[2])
n_in, n_out = 768, 3072
rng = np.random.default_rng(0)
shapes = {"layers.0.up": (n_out, n_in), "layers.0.down": (n_in, n_out)}
save_file({f"{name}.weight": rng.normal(size=shape).astype("f") for name, shape in shapes.items()}, path)
# What is compiled is no part of it.
options = {"pairwise": "none", "random_state": 0, "n_jobs": 1, "effort": 0.01, "bins": bins}
ef.analyze(rng.normal(size=(300, 200)), **options)
tracemalloc.start()
network = ef.as_network(path, chain=False, layers="layers.*")
report = ef.analyze(network, **options)
assert len(report) == 2
print(tracemalloc.get_traced_memory()[1] / (8 * n_in * n_out))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("bins", "most"), [(8, 2.25), (6, 2.75)])
def test_layers_of_a_checkpoint_are_measured_in_twice_the_largest(tmp_path, bins, most):
    code, path = _MEASURED, tmp_path / "model.safetensors"
    done = subprocess.run([sys.executable, "-c", code, path, str(bins)], check=True, capture_output=True, text=True)
    assert float(done.stdout) < most


def test_numbers_are_shown_as_writable_without_a_copy():
    array = np.arange(12.0).reshape(3, 4)
    assert as_writable(array) is array
    array.flags.writeable = False
    shown = as_writable(array)
    assert shown.flags.writeable
    assert shown.flags.c_contiguous
    assert np.shares_memory(shown, array)
    np.testing.assert_array_equal(shown, array)
    expected = array.copy()
    del array
    # They stay as long as they are looked at.
    np.testing.assert_array_equal(shown, expected)
    turned = as_writable(expected.T)
    assert turned.flags.c_contiguous
    np.testing.assert_array_equal(turned, expected.T)
