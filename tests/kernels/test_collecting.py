"""While a kernel is compiled no garbage is collected, and afterwards as before."""

import gc

import numba
import pytest
from numba.core import event
from numba.core.caching import NullCache

from ei_fast.kernels import jit

pytestmark = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled")


@pytest.fixture
def was_on():
    was_on = gc.isenabled()
    yield was_on
    (gc.enable if was_on else gc.disable)()


def _compiled(decorated):
    """Whether garbage was collected while a function was compiled, and afterwards."""
    inside = []

    class Listener(event.Listener):
        def on_start(self, event):
            inside.append(gc.isenabled())

        def on_end(self, event):
            pass

    with event.install_listener("numba:compile", Listener()):
        assert decorated(2) == 3
    return inside[-1], gc.isenabled()


@pytest.mark.parametrize("on", [True, False])
def test_it_is_as_it_was_after_a_kernel_is_compiled(was_on, on, monkeypatch):
    monkeypatch.setattr(jit, "KERNELS", [])
    # It is to be compiled, and not to be loaded.
    monkeypatch.setattr(jit, "KeptCode", lambda function: NullCache())
    (gc.enable if on else gc.disable)()
    assert _compiled(jit.jit(lambda x: x + 1)) == (False, on)


def test_functions_of_others_are_compiled_as_ever(was_on):
    gc.enable()
    assert _compiled(numba.njit(lambda x: x + 1)) == (True, True)
    with event.trigger_event("numba:compile"):
        assert gc.isenabled()
