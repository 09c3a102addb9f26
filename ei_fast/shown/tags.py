"""HTML and SVG, put together of parts: what is not `Html` is text from anywhere, and cannot become more than text."""

import re
from html import escape
from typing import Any

# Control characters, halves of a pair, and such as turn the direction of all that follows.
_UNWANTED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


class Html(str):
    """Well-formed HTML, which is not escaped again."""

    __slots__ = ()


def text(value: Any) -> Html:
    """What stands for a value in HTML: itself where it is `Html`, else its text, escaped."""
    return value if isinstance(value, Html) else Html(escape(_UNWANTED.sub("\ufffd", str(value))))


def tag(name: str, *inside: Any, **attributes: Any) -> Html:
    """An element with what is inside it, one after the other.

    Parameters
    ----------
    name : str
    *inside
        `Html`, or anything else as text.
    **attributes
        Values are escaped; an underscore stands for a hyphen, and one at the end, as in ``class_``, for nothing. Those
        that are None are left out.
    """
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_UNWANTED.sub("�", str(value)))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{said}>{together(*inside)}</{name}>")


def together(*parts: Any) -> Html:
    """Parts one after the other."""
    return Html("".join(map(text, parts)))
