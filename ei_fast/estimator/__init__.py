"""The public entry: `EffectiveInformation` and its short form `analyze`.

`layers.py` gives every layer its bins and measures it, `reports.py` makes reports of what was measured, with what is to
be known before it is trusted, `measuring.py` does both to a network that was read, `effective_information.py` is the
estimator around that, and `short_form.py` is `analyze`.
"""

from ei_fast.estimator.effective_information import EffectiveInformation
from ei_fast.estimator.layers import SIDE_BY_SIDE
from ei_fast.estimator.reports import flags_of
from ei_fast.estimator.short_form import analyze

__all__ = ["SIDE_BY_SIDE", "EffectiveInformation", "analyze", "flags_of"]
