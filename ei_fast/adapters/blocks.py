"""Parts of a model that its user names to be measured as one map each, and the ranges of their outputs."""

from collections.abc import Mapping, Sequence

import numpy as np

from ei_fast.network.bins import Range, check_range

Blocks = Sequence[str] | Mapping[str, Range | None]
AUTO = "auto"
"""In the place of names: residual blocks and gated units are found."""


def check_blocks(blocks: Blocks, known: Sequence[str]) -> dict[str, Range | None]:
    """The output ranges of the modules to be measured as blocks, by name, or why not."""
    rule = (
        "The 'blocks' parameter must be a list of module names, or a dict of module names and output ranges, or 'auto'"
    )
    if isinstance(blocks, str) and blocks == AUTO:
        return {}
    if isinstance(blocks, str) or not isinstance(blocks, (Mapping, list, tuple, set, frozenset)):
        raise TypeError(f"{rule}. Got {blocks!r} instead.")
    ranges = dict(blocks) if isinstance(blocks, Mapping) else dict.fromkeys(blocks)
    for name, limits in ranges.items():
        if name not in known:
            raise ValueError(f"{rule}. Got {name!r}, which the model does not have; it has {', '.join(known)}.")
        if limits is not None:
            ranges[name] = check_range(limits, f"blocks[{name!r}]", "as_network")
    return ranges


def range_of_block(name: str, given: Range | None, derived: Range | None, low: float, high: float) -> Range:
    """The output range of a block whose outputs were seen from `low` to `high`: the one given, or else derived.

    Raises
    ------
    ValueError
        Where the one that was given holds none of the outputs, or there is none.
    """
    seen = f"For inputs drawn at random its outputs are from {low:.3g} to {high:.3g}."
    if given is not None and (high < given[0] or low > given[1]):
        raise ValueError(f"The output range of the block {name!r} must hold its outputs. Got {given} instead. {seen}")
    if derived is not None and not derived[0] <= low <= high <= derived[1]:
        derived = None
    out_range = given or derived
    if out_range is None:
        raise ValueError(
            f"The output range of the block {name!r} cannot be derived. {seen} Give it, as "
            f"blocks={{{name!r}: {_around(low, high)}}}."
        )
    return out_range


def range_seen(derived: Range | None, low: float, high: float, ends: Range) -> tuple[Range, str]:
    """The output range of a part that was found, whose outputs were seen from `low` to `high`, and what it rests on.

    Parameters
    ----------
    ends : (float, float)
        Beyond which no output can lie.
    """
    if derived is not None and derived[0] <= low <= high <= derived[1] and derived[0] < derived[1]:
        return derived, "what they can be at most, whatever goes in"
    wide = _around(low, high)
    return (
        max(wide[0], ends[0]),
        min(wide[1], ends[1]),
    ), f"what was seen for random inputs, from {low:.3g} to {high:.3g}, and somewhat more"


def _around(low: float, high: float) -> Range:
    """A range in few digits that holds another."""
    step = 10.0 ** np.floor(np.log10(max(high - low, 1e-6 * max(abs(low), abs(high), 1.0)))) / 10.0
    return float(f"{np.floor(low / step - 0.5) * step:.6g}"), float(f"{np.ceil(high / step + 0.5) * step:.6g}")
