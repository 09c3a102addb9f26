"""The effective information of a group as a notebook shows it: on its scale, with its error and its flags."""

from typing import TYPE_CHECKING

from ei_fast.results.flags import explanation_of
from ei_fast.results.notebook import ei_in_words, flags_said
from ei_fast.shown.drawing import scale_of
from ei_fast.shown.page import lines, page, pictures
from ei_fast.shown.tags import Html, tag

if TYPE_CHECKING:
    from ei_fast.functions.single_layer import GroupEI


def group_in_html(group: "GroupEI") -> Html:
    """The value with its standard error, what is known of it, and what flags mean."""
    is_exact = group.stderr == 0.0 and group.interval == (group.value, group.value)
    error = "exact" if is_exact else f"standard error {group.stderr:.2g}"
    title = tag("p", tag("b", f"EI of the group: {group.value:.4f} bits"), f", {error}")
    told: list[object] = [] if is_exact else [ei_in_words(group.interval, group.bounds, is_exact)]
    if group.flags:
        told.append(flags_said(group.flags, lambda flag: explanation_of(flag, float("nan"))))
    scale = scale_of(group.value, group.interval, group.bounds, ceiling=group.value)
    return page(title, pictures(scale), lines(told))
