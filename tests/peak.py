"""How much memory a process has taken at the most, for tests that start one to measure it."""

import sys

import pytest

PEAK = """
def peak():
    # Bytes. Not ru_maxrss, which a process inherits from the one that starts it.
    with open("/proc/self/status") as status:
        return 1024 * next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))

"""
"""Code of a function `peak` for the program that is started."""

reads_proc = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
