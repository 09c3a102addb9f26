"""Files with bits turned or an end cut off are refused or read, in a process of their own: one that crashed is seen."""

import json
import subprocess
import sys

import ei_fast as ef

_FUZZ = """
import json, sys
from pathlib import Path
import numpy as np
import ei_fast as ef

path, n_flips, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
content = path.read_bytes()
rng = np.random.default_rng(seed)
given = [content[:cut] for cut in rng.integers(0, len(content), n_flips // 4)]
for flip in range(n_flips):
    damaged = bytearray(content)
    for at in rng.integers(0, len(content), 1 if flip % 2 else 8):
        damaged[at] ^= 1 << int(rng.integers(8))
    given.append(bytes(damaged))
counts = {"refused": 0, "read": 0}
for number, damaged in enumerate(given):
    path.write_bytes(damaged)
    try:
        net = ef.as_network(path)
    except (ValueError, TypeError, MemoryError) as error:
        assert number < n_flips // 4 or str(error), number
        counts["refused"] += 1
    else:
        assert isinstance(net, ef.Network)
        counts["read"] += 1
path.write_bytes(content)
print(json.dumps(counts))
"""


def check_damaged(path):
    """The file at `path`, the only one in its folder, damaged in 200 ways; it is as it was afterwards."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _FUZZ, str(path), "160", "1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    counts = json.loads(done.stdout.splitlines()[-1])
    assert counts["refused"] > 40
    assert sum(counts.values()) == 200
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    assert len(ef.as_network(path)) == 2
