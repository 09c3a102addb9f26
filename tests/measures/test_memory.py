"""Weights of a layer that is measured are not copied for kernels that write nothing."""

import numpy as np

from ei_fast.intervention.dense import as_writable


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
