"""Layers of a dict that come in sets which one word of their names tells apart: copies of one network.

The names ``fc1.net``, ``fc1.ema``, ``fc2.net``, ``fc2.ema`` have two sets, ``b1.up``, ``b1.down``, ``b2.up``,
``b2.down`` have as well, and where all layers are square their widths chain both ways. What tells sets of copies from
the layers of a block:

- a copy has the shape, and the entries, of what it is a copy of: layers of a block that differ in either are none;
- there are several layers in each set: one pair alone is any two layers, unless a word says that it is a copy;
- the layers of a block are called after what comes first and what follows, up and down, in and out, or in the order of
  the alphabet: two words of which one is no such word tell no order. Letters do where each layer stands right
  behind the one that the letter before names.

What is refused for it though it is a chain can be read as what it is, by `order=` with all of its layers.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

# What layers are called that follow each other, or what they do there.
_IN_A_ROW = frozenset(
    (
        *("enc", "encoder", "encode", "dec", "decoder", "decode", "up", "down", "in", "out", "input", "output"),
        *("hidden", "inner", "outer", "mid", "middle", "intermediate", "pre", "post", "expand", "reduce", "contract"),
        *("squeeze", "excite", "first", "second", "third", "fourth", "last", "final", "begin", "end", "start"),
        *("one", "two", "three", "four", "top", "bottom", "upper", "lower", "front", "back", "read", "write"),
        *("fc", "proj", "projection", "lin", "linear", "dense", "ff", "ffn", "mlp", "conv", "attn", "attention"),
        *("head", "body", "tail", "stem", "neck", "trunk", "backbone", "embed", "embedding", "embeddings", "emb"),
        *("layer", "block", "hid", "bottleneck", "features", "classifier", "compress", "decompress", "wi", "wo"),
        *("classify", "readout", "inp", "outp", "preprocess", "postprocess"),
    )
)
_COPIES = frozenset(("target", "ema", "momentum", "teacher", "old", "shadow", "swa", "left", "right"))
# How many words in a row may be others, or be left out: momentum_buffer.
_MOST_IN_A_ROW = 3
# Of how many words at one place each pair is looked at.
_MOST_WORDS = 16
_TOKENS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|.")

# Of a layer: the shape of its weight, and what else it has.
Held = tuple[tuple[int, ...], frozenset[str]]


class Copies(NamedTuple):
    """Two words that tell sets of layers apart, the empty one where it is left out, and the layers of each set."""

    words: tuple[str, str]
    sets: tuple[list[str], list[str]]

    @property
    def are_named(self) -> bool:
        """Whether a word says itself that a set is a copy."""
        return any(not _COPIES.isdisjoint(words_of(word)) for word in self.words)


def copies_in(held: Mapping[str, Held], ordered: bool) -> Copies | None:
    """The largest two sets of layers that are copies of each other, as far as names and shapes tell; None for a chain.

    Parameters
    ----------
    held : mapping of str to (shape, entries)
        By the names of layers, in their order.
    ordered : bool
        Whether that order is the network's.
    """
    rows: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for words, pair in pairs_of(held):
        rows.setdefault(words, []).append(pair)
    place = {name: k for k, name in enumerate(held)}
    for words, pairs in sorted(rows.items(), key=lambda item: (-len(item[1]), sum(map(len, item[0])))):
        if any(held[one] != held[other] for one, other in pairs):
            continue
        in_a_row = all(held[one][0][:1] == held[one][0][1:] and place[other] - place[one] == 1 for one, other in pairs)
        if tell_an_order(words) or (ordered and in_a_row and _are_numbered(words)):
            continue
        one, other = (sorted(names, key=place.__getitem__) for names in zip(*pairs, strict=True))
        found = Copies(words, (one, other))
        # Of a single pair it takes a word that says so, in the place of another or none.
        if len(pairs) > 1 or (found.are_named and min(len(words_of(word)) for word in words) < 2):
            return found
    return None


def words_of(name: str) -> list[str]:
    """The words in a name, in small letters."""
    return [token.lower() for token in _TOKENS.findall(name) if token.isalpha()]


def pairs_of(names: Iterable[str]) -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
    """Two words, and two names that differ in these alone: in one place, or in that one has a word more.

    Words in a row count as one.
    """
    known = set(names)
    at_places: dict[tuple[str, ...], dict[str, str]] = {}
    for name in names:
        tokens = _TOKENS.findall(name)
        for first, last in _runs(tokens):
            word = "".join(tokens[first:last])
            at_places.setdefault((*tokens[:first], "*", *tokens[last:]), {})[word] = name
            yield from ((("", word), (bare, name)) for bare in _without(tokens, first, last) & known)
    for words in at_places.values():
        for one, other in combinations(list(words)[:_MOST_WORDS], 2):
            yield (one, other), (words[one], words[other])


def _runs(tokens: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Where words in a row begin and end, with nothing between them but what parts words."""
    for first, token in enumerate(tokens):
        n_words = 0
        for last in range(first, len(tokens) if token.isalpha() else first):
            if tokens[last].isdigit() or n_words == _MOST_IN_A_ROW:
                break
            if tokens[last].isalpha():
                n_words += 1
                yield first, last + 1


def _without(tokens: Sequence[str], first: int, last: int) -> set[str]:
    """Names without some of their words, and what parts these from the others."""
    before, after = list(tokens[:first]), list(tokens[last:])
    cut = [(before, after)]
    if before and not before[-1].isalnum():
        cut.append((before[:-1], after))
    if after and not after[0].isalnum():
        cut.append((before, after[1:]))
    return {"".join([*left, *right]) for left, right in cut}


def tell_an_order(words: tuple[str, str]) -> bool:
    """Whether two words, or all words in which two names differ, are such as follow each other."""
    # What both have tells nothing.
    one, other = map(set, map(words_of, words))
    return one ^ other <= _IN_A_ROW


def _are_numbered(words: tuple[str, str]) -> bool:
    """Whether two words are letters that number, as in fc1a, fc1b."""
    one, other = words
    return len(one) == len(other) == 1 and one.islower() and ord(other) - ord(one) == 1
