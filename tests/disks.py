"""Disks of their own that are full."""

import errno
import subprocess
from contextlib import contextmanager

import pytest


@contextmanager
def mounted(folder, options):
    """A file system of its own at a folder, where mounting is permitted."""
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def _grows(file):
    try:
        return file.write(bytes(4096))
    except OSError as error:
        if error.errno == errno.ENOSPC:
            return 0
        raise


def fill(folder):
    """Take all the room that is left in a folder's file system."""
    filling = folder / "filling"
    with filling.open("ab", buffering=0) as file:
        while _grows(file):
            pass
    return filling
