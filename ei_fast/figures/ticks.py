"""Ticks of an axis of powers of ten, as numbers that can be read without knowing what stands beside them."""

import numpy as np
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, Locator, NullLocator

# Fewer say nothing of the scale, more touch each other in a small panel.
_FEWEST, _MOST = 3, 5
_DIGITS = ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0), (1.0, 2.0, 3.0, 5.0, 7.0), tuple(map(float, range(1, 10))))
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def log_ticks(low: float, high: float) -> list[float]:
    """Where the ticks of a logarithmic axis are, from `low` to `high`, both positive."""
    low, high = min(low, high), max(low, high)
    if not (0.0 < low < high < np.inf):
        return [low] if 0.0 < low < np.inf else []
    first, last = int(np.floor(np.log10(low))), int(np.ceil(np.log10(high)))
    for digits in _DIGITS:
        ticks = [float(f"{digit:g}e{power}") for power in range(first, last + 1) for digit in digits]
        inside = [tick for tick in ticks if low * (1 - 1e-12) <= tick <= high * (1 + 1e-12)]
        if len(inside) >= _FEWEST:
            return inside[:: -(-len(inside) // _MOST)]
    # Within a digit powers of ten say nothing: even steps.
    step = 10.0 ** np.floor(np.log10(high - low))
    step *= 0.5 if (high - low) / step < _FEWEST else 1.0 if (high - low) / step <= _MOST else 2.0
    return [float(f"{k * step:.12g}") for k in range(int(np.ceil(low / step)), int(np.floor(high / step)) + 1)]


def tick_text(value: float) -> str:
    """A tick as it is read: 0.2, 50, 2×10⁻⁷."""
    if value == 0.0 or 1e-3 <= abs(value) <= 1e5:
        return f"{value:.12g}"
    digits, power = f"{value:.6e}".split("e")
    digits = digits.rstrip("0").rstrip(".")
    power = "10" + str(int(power)).translate(_SUPERSCRIPTS)
    return power if digits == "1" else f"{digits}×{power}"


def label_logarithmically(axis: Axis) -> None:
    """Give a logarithmic axis the ticks of `log_ticks`, wherever its limits will be."""
    axis.set_major_locator(_LogLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: tick_text(value)))
    axis.set_minor_locator(NullLocator())


class _LogLocator(Locator):
    def __call__(self) -> list[float]:
        assert self.axis is not None
        return self.tick_values(*self.axis.get_view_interval())

    def tick_values(self, vmin: float, vmax: float) -> list[float]:
        return log_ticks(vmin, vmax)
