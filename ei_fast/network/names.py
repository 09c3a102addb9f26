"""Names of layers, each of which no other layer of a network has."""

from collections.abc import Collection


def unique_name(name: str, taken: Collection[str]) -> str:
    """The name of a layer, with the number of its use where others have it."""
    unique, use = name, 1
    while unique in taken:
        use += 1
        unique = f"{name}#{use}"
    return unique
