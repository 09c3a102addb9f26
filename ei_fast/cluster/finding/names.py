"""The whole numbers in a checkpoint's name, and what the words beside them say that they are."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

STEP, ITERATION, EPOCH, CHECKPOINT, PLAIN, GLUED, DATE = (
    "step",
    "iteration",
    "epoch",
    "checkpoint",
    "number",
    "number behind letters",
    "date",
)
"""What a number may be, in the order in which one is taken for the step; a date never is."""
SHARD, METRIC, FRACTION, WORD, LABELLED = "shard", "metric", "fraction", "word", "labelled"
"""What else has digits in it."""

_KINDS = {
    **dict.fromkeys(("step", "steps", "stp", "gs", "update", "updates"), STEP),
    **dict.fromkeys(("iter", "iters", "iteration", "iterations", "it", "itr"), ITERATION),
    **dict.fromkeys(("epoch", "epochs", "ep", "e"), EPOCH),
    **dict.fromkeys(("checkpoint", "checkpoints", "ckpt", "ckpts", "chkpt", "chkp", "cp", "snapshot"), CHECKPOINT),
}
"""By the word in front of a number, or behind it."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_OTHERS = _words(
    """
    v ver version versions rev revision seed seeds fold folds split cv rep repeat replicate run runs trial job id exp
    experiment task rank shard part parts gpu node worker stage of max min total num per every warmup layer layers head
    heads dim dims hidden width depth size bs lr wd seq len length bit bits top beta alpha gamma eps epsilon decay
    dropout momentum rho tau acc accuracy err error score auc loss ppl perplexity bleu rouge mse mae rmse reward metric
    val valid param params token tokens tok float bfloat int uint precision p px dpi
    """
)
"""Words in front of numbers, or behind them, that are no steps: versions, seeds, sizes, metrics."""
_LIMITS = frozenset(("max", "min", "total", "num", "per", "every", "warmup", "of", "n"))
"""In front of a word for steps: a number that stays, like ``max_steps=1000``."""
_DTYPES = re.compile(r"(?:fp|bf|tf|f|i|u|nf|q|w|a|x|int|uint|float|bfloat)(?:2|3|4|5|6|8|16|32|64|128)$", re.IGNORECASE)
_UNITS = _words("b m k g t h s d l x bit bits px dim gb mb kb hz ms min hr pct w")
"""Behind a number: a size, a duration or the like."""
_THOUSANDS = {"k": 10**3, "m": 10**6}
_SHORT = frozenset(("e", "ep", "it", "gs", "s", "i", "v", "b", "t"))
"""Abbreviations in words like ``e3s100``, which is no hash."""

_GONE = "\0"
_FRACTIONS = re.compile(
    r"(?<==)\d{1,3}(?:_\d{3})+(?!\d)|\d{1,3}(?:_000)+(?!\d)"
    r"|\d+(?:[.,]\d+)+(?:e[+-]?\d+)?|(?<![A-Za-z0-9])[.,]\d+(?:e[+-]?\d+)?|\d+e[+-]\d+|(?<==)[+-]\d+|(?<=_)-\d+"
    r"|(?<![A-Za-z0-9])\d+e\d+(?![A-Za-z0-9])|(?<=[lL][rR])\d+e\d+|(?<=[wW][dD])\d+e\d+"
    r"|(?<![A-Za-z0-9]{2})\d+p\d+(?![A-Za-z0-9])|(?<=loss)\d+p\d+|(?<=acc)\d+p\d+",
    re.IGNORECASE,
)
_METRICS = re.compile(
    r"(?<![A-Za-z0-9])(?:f1|r2|top[-_]?\d+|m?ap[-_@]?\d+|bleu[-_]?\d|rouge[-_]?\d|[A-Za-z]+@\d+)"
    r"(?:[-_]?[A-Za-z]+)*(?:[-_=:]\d+)?(?!\d)",
    re.IGNORECASE,
)
_SHARDS = re.compile(r"(?<!\d)\d{5}-of-\d{5}(?!\d)")
_DATES = re.compile(
    r"(?<![A-Za-z0-9])(?:19|20)\d\d([-_.]?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])"
    r"(?:[-_T. ]{0,2}(?:(?:[01]\d|2[0-3])[-_:.h][0-5]\d(?:[-_:.m][0-5]\d)?|(?:[01]\d|2[0-3])[0-5]\d[0-5]\d))?(?!\d)"
)
_WORDS = re.compile(r"[A-Za-z0-9]+")
_PIECES = re.compile(r"[A-Za-z]+|\d+")
_CAMEL = re.compile(r"[A-Z]*[^\W\d_A-Z]+|[A-Z]+")
_BEFORE = re.compile(r"(?:([^\W\d_]+)[ _\-])?([^\W\d_]+)([ _=\-.:#()\[\]@]*)$")
_BEHIND = re.compile(r"([A-Za-z]+)|[ _\-]([A-Za-z]+)(?![A-Za-z0-9]|[ _=\-.:]*\d)")


@dataclass(frozen=True)
class Reading:
    """One whole number of a name.

    Attributes
    ----------
    kind : str
        One of the kinds above.
    value : int
    begin : int
        Where its digits begin in the name.
    digits : str
        With which it is written, and k or m for thousands or millions.
    letters : str
        Directly in front of it.
    """

    kind: str
    value: int
    begin: int
    digits: str = ""
    letters: str = ""


@dataclass(frozen=True)
class Other:
    """A piece of a name with digits that are no step.

    Attributes
    ----------
    kind : str
        What it is by its form: METRIC, SHARD, FRACTION, WORD (a hash, an identifier or a type of numbers) or LABELLED,
        a number whose word says that it is no step.
    text : str
    begin : int
        Where it begins in the name.
    """

    kind: str
    text: str
    begin: int


@lru_cache(2**14)
def readings_in(name: str) -> tuple[Sequence[Reading], Sequence[Other]]:
    """What a name without its suffix may say of the step.

    Returns
    -------
    readings : sequence of Reading
        In their order.
    others : sequence of Other
        Pieces with digits that are none: fractions, versions, hashes, sizes.
    """
    others: list[Other] = []
    dates: list[Reading] = []

    def drop(found: re.Match[str], kind: str = "") -> str:
        if kind:
            others.append(Other(kind, found[0], found.start()))
        return _GONE * len(found[0])

    def note(found: re.Match[str]) -> str:
        if _kind_before(name[: found.start()]) in (STEP, ITERATION, EPOCH) and found[0].isdigit():
            return found[0]
        value = int("".join(re.findall(r"\d", found[0])).ljust(14, "0"))
        dates.append(Reading(DATE, value, found.start(), found[0]))
        return drop(found)

    left = _DATES.sub(note, name)
    for form, pattern in ((SHARD, _SHARDS), (METRIC, _METRICS), (FRACTION, _FRACTIONS)):
        left = pattern.sub(partial(drop, kind=form), left)
    left = _WORDS.sub(lambda found: drop(found, WORD) if _holds_no_step(found[0]) else found[0], left)
    readings = dates
    for found in re.finditer(r"\d+", left):
        kind, scale = _kind(left, found)
        if kind is None:
            others.append(_shown(name, found))
        else:
            letters = re.search("[A-Za-z]*$", left[: found.start()])
            readings.append(
                Reading(
                    kind,
                    int(found[0]) * scale,
                    found.start(),
                    left[found.start() : found.end() + (scale > 1)],
                    letters[0].lower() if letters else "",
                )
            )
    return tuple(sorted(readings, key=lambda one: one.begin)), tuple(others)


def _holds_no_step(word: str) -> bool:
    """Whether a word of letters and digits is a hash, an identifier or a type of numbers."""
    pieces = _PIECES.findall(word)
    if len(pieces) < 2:
        return False
    if _DTYPES.match(word):
        return True
    is_letters_first = len(pieces) == 2 and pieces[0].isalpha()
    if is_letters_first:
        return False
    letters = [piece for piece in pieces if piece.isalpha()]
    if len(word) >= 6 and re.fullmatch("[0-9a-f]+|[0-9A-F]+", word) and _kind_of(letters[0], glued=True) is None:
        return True
    if len(pieces) == 2:
        return False
    return not all(len(one) > 2 or one.lower() in _SHORT or one.lower() in _KINDS for one in letters[: len(pieces) - 1])


def _kind(text: str, found: re.Match[str]) -> tuple[str | None, int]:
    """What a number is, and by what it is multiplied; None where it is no step."""
    before, glued = _kind_before(text[: found.start()]), text[: found.start()][-1:].isalpha()
    behind = _BEHIND.match(text, found.end())
    suffix = "" if behind is None else (behind[1] or "").lower()
    if before == "":
        return None, 1
    if before is not None:
        # Millions of steps, but a model of millions of weights; billions are never steps.
        is_size = suffix == "b" or (suffix == "m" and before == CHECKPOINT)
        return None if is_size else before, _THOUSANDS.get(suffix, 1)
    if behind is not None:
        word = (behind[1] or behind[2]).lower()
        kind = _kind_of(word, glued=True) if len(word) > 1 else None
        if kind in (STEP, ITERATION, EPOCH):
            return kind, 1
        if suffix in _UNITS or (behind[1] and kind == ""):
            return None, 1
    return GLUED if glued else PLAIN, 1


def _kind_before(text: str) -> str | None:
    """What the word in front of a number says: a kind, "" where it is no step, None where it says nothing."""
    found = _BEFORE.search(text)
    if found is None:
        return None
    glued = not found[3]
    kind = _kind_of(found[2], glued)
    earlier = _CAMEL.findall(found[2])[:-1] or _CAMEL.findall(found[1] or "")
    return "" if kind in (STEP, ITERATION, EPOCH) and earlier and earlier[-1].lower() in _LIMITS else kind


def _kind_of(letters: str, glued: bool) -> str | None:
    """What a word says of the number beside it; of words that are written together the last one says it."""
    word = _CAMEL.findall(letters)[-1].lower() if letters else ""
    if word in _OTHERS:
        return ""
    if word in _KINDS:
        return _KINDS[word]
    endings = sorted((known for known in {*_KINDS, *_OTHERS} if len(known) >= 4 and word.endswith(known)), key=len)
    if glued and endings:
        return _KINDS.get(endings[-1], "")
    return None


def label_before(text: str) -> re.Match[str] | None:
    """The last word of a text, as its second group, and what joins it to what follows."""
    return _BEFORE.search(text)


def last_word(letters: str) -> str:
    """Of words that are written together the last one: Epoch of ModelEpoch, epoch of mlpepoch."""
    found = _CAMEL.findall(letters)
    word = found[-1] if found else letters
    lower = word.lower()
    if lower in _KINDS or lower in _OTHERS:
        return word
    endings = sorted((one for one in (*_KINDS, *_OTHERS) if len(one) >= 4 and lower.endswith(one)), key=len)
    return word[-len(endings[-1]) :] if endings else word


def word_behind(name: str, end: int) -> re.Match[str] | None:
    """The word behind a number: steps of 100steps, epochs of 9_epochs."""
    return _BEHIND.match(name, end)


def _shown(name: str, found: re.Match[str]) -> Other:
    """A number with the word in front of it and the letters behind it, as they stand in the name."""
    before = _BEFORE.search(name[: found.start()])
    behind = re.compile("[A-Za-z]*").match(name, found.end())
    begin = found.start() if before is None else before.start(2)
    return Other(LABELLED, name[begin : found.end() if behind is None else behind.end()], begin)
