"""The colours of a .gif, which has few: what is frequent stays exact, the rest goes to the nearest."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]

_COLOURS, _EXACT = 255, 64
_UNKNOWN = 255


class Palette:
    """At most 255 colours for the pictures of one animation.

    Parameters
    ----------
    pictures : iterable of ndarray (height, width, 4)
        From which the colours are taken.
    """

    def __init__(self, pictures: Iterable[Pixels]):
        seen = np.vstack([picture[..., :3] for picture in pictures])
        colours, counts = np.unique(_packed(seen), return_counts=True)
        exact = colours[np.argsort(-counts, kind="stable")[:_EXACT]]
        # Pillow chooses between all colours, not by their number alone: trails and edges of letters need theirs, too.
        chosen = Image.fromarray(seen).quantize(_COLOURS - len(exact), dither=Image.Dither.NONE).getpalette() or []
        self._colours = np.vstack([_unpacked(exact), np.reshape(chosen, (-1, 3))]).astype(np.uint8)[:_COLOURS]
        # Of every colour there is, the place of the nearest in the palette, found when it is first met.
        self._nearest = np.full(2**24, _UNKNOWN, dtype=np.uint8)

    def image(self, picture: Pixels) -> Image.Image:
        """A picture (height, width, 4) in the palette's colours."""
        packed = _packed(picture[..., :3])
        new = np.unique(packed[self._nearest[packed] == _UNKNOWN])
        if len(new):
            apart = _unpacked(new)[:, None].astype(np.int32) - self._colours
            self._nearest[new] = (apart**2).sum(axis=2).argmin(axis=1)
        image = Image.fromarray(self._nearest[packed])
        image.putpalette(self._colours.tobytes())
        return image


def _packed(picture: Pixels) -> NDArray[np.int32]:
    red, green, blue = np.moveaxis(picture.astype(np.int32), -1, 0)
    packed: NDArray[np.int32] = (red << 16) | (green << 8) | blue
    return packed


def _unpacked(colours: NDArray[np.int32]) -> Pixels:
    return np.stack([colours >> 16, (colours >> 8) & 255, colours & 255], axis=-1).astype(np.uint8)
