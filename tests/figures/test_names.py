"""Shortened names tell layers apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ei_fast.figures.names import LIMIT, shortened

DEEP = [f"model.encoder.layers.{k}.feed_forward.dense_projection" for k in range(20)]


@pytest.mark.parametrize(
    ("names", "limit", "expected"),
    [
        (["fc1", "fc2"], 22, ["fc1", "fc2"]),
        (["net.fc1", "net.fc2"], 22, ["net.fc1", "net.fc2"]),
        ([], 22, []),
        (DEEP[3:5], 22, ["3.feed_forward", "4.feed_forward"]),
        (DEEP[3:5], 33, ["3.feed_forward.dense_projection", "4.feed_forward.dense_projection"]),
        (DEEP[3:4], 22, ["dense_projection"]),
        ([f"functional/encoder/dense_{k}/kernel" for k in "12"], 16, ["dense_1/kernel", "dense_2/kernel"]),
        (["a" * 30 + "b", "a" * 30 + "c"], 10, ["aaaaa…aaab", "aaaaa…aaac"]),
        (["x" * 30 + "1" + "y" * 30, "x" * 30 + "2" + "y" * 30], 10, ["…x1yyyyyy…", "…x2yyyyyy…"]),
    ],
)  # fmt: skip
def test_names_are_shortened_to_what_tells_them_apart(names, limit, expected):
    assert shortened(names, limit) == expected


def test_what_no_cut_tells_apart_is_numbered():
    names = [f"{'x' * 20}{a}{'y' * 30}{b}{'z' * 20}" for a in "12" for b in "12"]
    found = shortened(names, 10)
    assert [name.split(" ")[0] for name in found] == ["1", "2", "3", "4"]
    assert all(len(name) <= 10 for name in found)


NAMES = st.lists(st.text("ab1._/", min_size=0, max_size=90), unique=True, max_size=12)
COMPONENTS = st.sampled_from(["model", "layers", "0", "1", "projection", "x" * 30])
PATHS = st.lists(st.lists(COMPONENTS, min_size=1, max_size=8).map(".".join), unique=True, max_size=60)


@given(NAMES | PATHS, st.integers(8, 30))
def test_different_names_stay_different_and_are_short(names, limit):
    found = shortened(names, limit)
    assert len(found) == len(names)
    assert len(set(found)) == len(names)
    assert all(len(name) <= limit for name in found)
    if all(len(name) <= limit for name in names):
        assert found == names


@given(NAMES | PATHS)
def test_order_is_kept(names):
    """Each short name is found in its own, piece by piece."""
    for name, short in zip(names, shortened(names), strict=True):
        pieces = short.split("…")
        if not short[:1].isdigit():
            assert all(piece in name for piece in pieces)
    assert shortened(shortened(names)) == shortened(names)


@pytest.mark.parametrize("n", [1, 2, 8, 20, 60])
def test_sixty_names_of_eighty_characters(n):
    names = [f"{'encoder_of_a_language_model_' * 2}block_{k:02d}_dense_projection"[:80] for k in range(n)]
    found = shortened(names)
    assert len(set(found)) == n
    assert max(map(len, found)) <= LIMIT
    assert shortened([name.replace("_", ".") for name in names])[-1]
