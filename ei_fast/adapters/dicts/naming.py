"""Names of entries: parts with dots or slashes between them, the last of which says what of a layer it is."""

import re

SEPARATORS = "[./]"


def last_part(name: str) -> str:
    """The last part of a name."""
    return re.split(SEPARATORS, name)[-1]


def module_of(name: str) -> str:
    """A name without its last part; the name itself where it has one alone."""
    return re.split(r"[./][^./]*$", name)[0]
