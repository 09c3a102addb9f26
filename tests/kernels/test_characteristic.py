"""The characteristic function of a sum of uniforms: the power series against the product of sincs."""

import mpmath
import numpy as np
import pytest

from ei_fast.kernels.characteristic import MANY_UNIFORMS, characteristic
from ei_fast.kernels.marginals import extent_of

_RNG = np.random.default_rng(3)
WIDTHS = {
    "fewest": _RNG.uniform(0, 1, MANY_UNIFORMS),
    "one fewer": _RNG.uniform(0, 1, MANY_UNIFORMS - 1),
    "normal": _RNG.normal(size=768),
    "equal": np.ones(3000),
    "one is wide": np.append(_RNG.uniform(0, 1, 400), 12.0),
    "one dominates": np.append(_RNG.uniform(0, 1, 400), 1e6),
    "of all sizes": 10.0 ** _RNG.uniform(-300, 0, 2000),
}


@pytest.mark.parametrize("name", WIDTHS)
def test_characteristic(name):
    half_widths = np.sort(np.abs(WIDTHS[name]))[::-1].copy()
    extent, terms = extent_of(half_widths), 30
    phi = np.empty(terms)
    characteristic(half_widths, extent, phi)
    with mpmath.workdps(40):
        sines = [
            mpmath.fprod(mpmath.sinc(mpmath.pi * (m + 1) / mpmath.mpf(extent) * mpmath.mpf(a)) for a in half_widths)
            for m in range(terms)
        ]
    # A product of so many factors is off by as many roundings.
    np.testing.assert_allclose(phi, [float(one) for one in sines], rtol=1e-12, atol=1e-16)
