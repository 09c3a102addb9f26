"""What measuring layers of a large checkpoint takes: one of them at a time, in double precision, and little more."""

import subprocess
import sys

import pytest
from peak import PEAK, reads_proc

_MEASURED = (
    PEAK
    + """
import sys

import numpy as np
from safetensors.numpy import save_file

import ei_fast as ef

path, n = sys.argv[1], 3328
rng = np.random.default_rng(0)
# So many are not held all at once, and not measured side by side.
save_file({f"layers.{k}.mlp.weight": rng.standard_normal((n, n), np.float32) for k in range(4)}, path)
# By one thread: several measure layers of little work side by side.
options = {"pairwise": "none", "random_state": 0, "effort": 0.01, "n_jobs": 1}
# What is compiled, and loaded once, is no part of it.
ef.analyze(rng.normal(size=(300, 200)), **options)
with open("/proc/self/clear_refs", "w") as forgotten:
    forgotten.write("5")
before = peak()
report = ef.analyze(ef.as_network(path, chain=False, layers="layers.*.mlp*"), **options)
assert [layer.n_in for layer in report] == 4 * [n]
print((peak() - before) / (8 * n * n))
"""
)


@pytest.mark.slow
@reads_proc
def test_layers_of_a_checkpoint_take_less_than_twice_the_largest(tmp_path):
    code, path = _MEASURED, str(tmp_path / "model.safetensors")
    done = subprocess.run([sys.executable, "-c", code, path], check=True, capture_output=True, text=True)
    assert float(done.stdout) < 2.0
