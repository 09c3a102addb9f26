"""Tables as pandas frames, where pandas is there."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pandas import DataFrame


def frame_of(rows: Sequence[dict[str, Any]], columns: Sequence[str], what: str) -> "DataFrame":
    """A frame of `rows`; ImportError that names `what` needs it where pandas is absent."""
    try:
        from pandas import DataFrame
    except ImportError as error:
        raise ImportError(f'{what} makes a pandas frame: pip install "ei_fast[pandas]"') from error
    return DataFrame(rows, columns=list(columns))
