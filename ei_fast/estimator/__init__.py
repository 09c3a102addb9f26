"""The public entry: `EffectiveInformation` and its short form `analyze`.

`layers.py` gives every layer its bins and measures it, `reports.py` makes reports of what was measured, with what is to
be known before it is trusted, `measuring.py` does both to a network that was read, `measurement.py` reads it,
`effective_information.py` makes an estimator of that, and `short_form.py` is `analyze`.
"""

from typing import TYPE_CHECKING, Any

from ei_fast.estimator.layers import SIDE_BY_SIDE
from ei_fast.estimator.reports import flags_of
from ei_fast.estimator.short_form import analyze

if TYPE_CHECKING:
    from ei_fast.estimator.effective_information import EffectiveInformation

__all__ = ["SIDE_BY_SIDE", "EffectiveInformation", "analyze", "flags_of"]


def __getattr__(name: str) -> Any:
    # scikit-learn is imported with the estimator, and not for `analyze`.
    if name != "EffectiveInformation":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ei_fast.estimator.effective_information import EffectiveInformation

    return EffectiveInformation
