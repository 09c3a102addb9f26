"""Which files of one folder belong to one training: by what their names hold besides the step."""

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ei_fast.cluster.finding.names import (
    CHECKPOINT,
    DATE,
    EPOCH,
    FRACTION,
    GLUED,
    ITERATION,
    LABELLED,
    METRIC,
    PLAIN,
    SHARD,
    STEP,
    WORD,
    Other,
    Reading,
    label_before,
    last_word,
    readings_in,
    word_behind,
)
from ei_fast.cluster.finding.patterns import grouped, patterns_for
from ei_fast.cluster.finding.steps import steps_of

# Files of several trainings may lie in one folder: seed1_epoch1, seed1_epoch2, seed2_epoch1. As one run they would be
# drawn as one path and measured over the ranges of the first. So what a name holds besides its step is looked at:
#
# - A word that says so tells runs apart whatever else there is: seed, fold, run, trial.
# - Losses and other metrics, epochs beside steps, shards, version suffixes like -v1, and words for moments (best, last)
#   never do: they differ within a run.
# - Other words, and numbers in front of the step (mlp, resnet18, lr0.1, s0), do where two files that differ in them
#   have the same step, which one run cannot. Where no step is shared they may be runs (mlp_7, cnn_12) or a run that
#   changes on its way (lr0.1_epoch3, lr0.01_epoch5): that is refused with the patterns for both.
# - Hashes, dates, unknown fractions and numbers behind the step usually go along with the step: of the content, of the
#   moment of writing, a metric. They tell runs apart only where they stay while steps repeat.
_SURE, _TELLING, _ALONG, _NEVER = "sure", "telling", "along", "never"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_RUNS = _words("seed seeds fold folds run runs trial exp experiment split rep repeat replicate replica cv")
"""Beside a number: it tells runs apart."""
_SETTINGS = _words(
    """
    task job id layer layers head heads dim dims hidden width depth size bs lr wd seq len length bit bits beta alpha
    gamma eps epsilon decay dropout momentum rho tau params param float bfloat int uint precision p px dpi max min total
    num per every warmup n
    """
)
"""Beside a number: it is set for a run, and may change on its way."""
_METRICS = _words(
    """
    acc accuracy err error score auc loss ppl perplexity bleu rouge mse mae rmse reward metric val valid top token
    tokens tok iou miou dice psnr ssim fid kl nll elbo return ret rew wer cer f1 recall corr lpips of
    v ver version versions rev revision rank shard part parts gpu node worker stage
    """
)
"""Beside a number: it differs within a run, or between files that are no runs."""
_MOMENTS = _words(
    """
    init initial initialised initialized initialization start begin best last final latest end current cur old new bak
    backup copy interrupted resume resumed early periodic
    """
)
"""Words for moments of a run."""
_SETS = _words("train training val valid validation test dev eval")
"""In front of a metric: of which data it is."""
_COUNTED = (STEP, ITERATION, EPOCH)
_GONE = "\0"


@dataclass(frozen=True)
class _Piece:
    """What a name holds besides its step: what it says of runs, and where it stands."""

    role: str
    kind: str
    text: str
    begin: int


@dataclass(frozen=True)
class Told:
    """What the name of a file says: its run among those of its folder, "" where that is one, and its step."""

    run: str
    step: int


def told_by_names(names: Mapping[str, str], folder: str) -> dict[str, Told]:
    """The run and the step of every checkpoint of one folder.

    Parameters
    ----------
    names : dict of str to str
        Of every path below the folder of the checkpoints the file's name, its suffix apart.
    folder : str
        As messages call it; "" where there is one only.

    Returns
    -------
    dict of str to Told

    Raises
    ------
    ValueError
        Where the step of a name cannot be told, or names may be of one run or of several, with the option that decides.
    """
    sure = {path: _sure_key(name) for path, name in names.items()}
    steps = steps_of(names, folder, sure)
    if len({_without(name, [_span_of_step(name, steps[path])]) for path, name in names.items()}) == 1:
        return {path: Told("", steps[path].value) for path in names}
    pieces = {path: _pieces(name, steps[path]) for path, name in names.items()}
    keys: dict[str, Hashable] = {path: (sure[path],) for path in names}
    telling = _split(keys, _TELLING, pieces, steps, names, folder)
    keys = _split(telling, _ALONG, pieces, steps, names, folder)
    if len(set(keys.values())) == 1:
        return {path: Told("", steps[path].value) for path in names}
    if any(keys[path] != (sure[path],) for path in names):
        # The number that tells the files of each run apart, which all of them together need not have told.
        again = steps_of(names, folder, keys)
        if again != steps:
            raise ValueError(_two_ways(names, steps, keys, folder))
    runs = _names_of_runs(names, steps, keys, keys != telling)
    return {path: Told(runs[keys[path]], steps[path].value) for path in names}


def sure_runs(names: Mapping[str, str], steps: Mapping[str, int]) -> dict[str, str]:
    """What words like seed and fold in the names of one folder say of runs: nothing where it is the same in all.

    Parameters
    ----------
    names : dict of str to str
        As for `told_by_names`.
    steps : dict of str to int
        Where the digits end in each name that a pattern took for its step, 0 where none did: they are no run.
    """
    sure = {path: _sure_key(name, steps[path]) for path, name in names.items()}
    if len(set(sure.values())) == 1:
        return dict.fromkeys(names, "")
    return {path: "_".join(key) for path, key in sure.items()}


def _sure_key(name: str, step_end: int = 0) -> tuple[str, ...]:
    pieces = (one for one in readings_in(name)[1] if _role_of_other(name, one) == _SURE)
    return tuple(one.text.lower() for one in pieces if not one.begin < step_end <= one.begin + len(one.text))


def _split(
    keys: Mapping[str, Hashable],
    role: str,
    pieces: Mapping[str, Sequence[_Piece]],
    steps: Mapping[str, Reading],
    names: Mapping[str, str],
    folder: str,
) -> dict[str, Hashable]:
    """Keys that tell runs apart by the pieces of a role as well, where these do."""
    result: dict[str, Hashable] = dict(keys)
    for group in grouped(keys).values():
        finer = {path: tuple(one.text.lower() for one in pieces[path] if one.role == role) for path in group}
        if len(set(finer.values())) == 1:
            continue
        common = _common_texts(group, pieces)
        differing = [one for path in group for one in pieces[path] if one.role == role and one.text not in common]
        verdict = _verdict(finer, differing, {path: steps[path] for path in group}, role)
        if verdict is None:
            raise ValueError(
                _two_ways(names, steps, {**keys, **{path: (keys[path], finer[path]) for path in group}}, folder)
            )
        if verdict:
            result |= {path: (keys[path], finer[path]) for path in group}
    return result


def _verdict(
    keys: Mapping[str, Hashable], differing: Sequence[_Piece], steps: Mapping[str, Reading], role: str
) -> bool | None:
    """Whether files of one folder with these keys are of several runs; None where both may be."""
    groups = list(grouped(keys).values())
    steps_of_groups = [{steps[path].value for path in group} for group in groups]
    step_is_said = all(one.kind in _COUNTED for one in steps.values())
    several = [len(group) > 1 for group in groups]
    is_shared = sum(map(len, steps_of_groups)) > len(set().union(*steps_of_groups))
    kinds = {one.kind for one in differing}
    if role == _ALONG:
        if not is_shared:
            # A hash that stays for some files is not that of their content.
            return None if kinds == {WORD} and any(several) else False
        if kinds <= {WORD, DATE}:
            return True
        return (None if kinds & {PLAIN, GLUED, CHECKPOINT} else True) if all(several) else False
    # Of two numbers that nothing is said of either may be the step.
    if not is_shared or (PLAIN in kinds and not step_is_said):
        return None
    # model_1 and other_1 may be parts of one checkpoint: the same step twice is refused for it.
    return any(several) or kinds != {"letters"}


def _common_texts(group: Iterable[str], pieces: Mapping[str, Sequence[_Piece]]) -> set[str]:
    """What stands in the names of all files."""
    texts = [{one.text for one in pieces[path]} for path in group]
    return set.intersection(*texts)


def _pieces(name: str, step: Reading) -> list[_Piece]:
    """What a name holds besides its step and the word that calls it so."""
    begin, end = _span_of_step(name, step)
    left = name[:begin] + _GONE * (end - begin) + name[end:]
    readings, others = readings_in(name)
    found = []
    for other in others:
        start, stop = _with_label(left, other.begin, len(other.text))
        found.append(_Piece(_role_of_other(name, other), other.kind, name[start:stop], start))
    for one in readings:
        if one.begin == step.begin:
            continue
        start, stop = (one.begin, one.begin + len(one.digits))
        if one.kind != DATE:
            start, stop = _with_label(left, one.begin, len(one.digits))
        found.append(_Piece(_role_of_reading(one, step), one.kind, name[start:stop], start))
    for piece in found:
        left = left[: piece.begin] + _GONE * len(piece.text) + left[piece.begin + len(piece.text) :]
    for word in re.finditer(r"[^\W\d_]+", left):
        is_silent = word[0].lower() in _MOMENTS or _names_a_step(word[0])
        role = _NEVER if is_silent else _TELLING
        found.append(_Piece(role, "letters", word[0], word.start()))
    return sorted(found, key=lambda piece: piece.begin)


def _span_of_step(name: str, step: Reading) -> tuple[int, int]:
    begin, end = step.begin, step.begin + len(step.digits)
    label = label_before(name[:begin])
    if step.kind in (*_COUNTED, CHECKPOINT):
        behind = word_behind(name, end)
        said = "" if label is None else last_word(label[2])
        if label is not None and _names_a_step(said):
            return label.end(2) - len(said), end
        if behind is not None:
            return begin, behind.end()
    return begin, end


def _names_a_step(word: str) -> bool:
    readings, _ = readings_in(f"{word}=1")
    return bool(readings) and readings[0].kind in (*_COUNTED, CHECKPOINT)


def _with_label(left: str, begin: int, length: int) -> tuple[int, int]:
    label = label_before(left[:begin])
    if label is None:
        return begin, begin + length
    set_apart = label[1] is not None and label[1].lower() in _SETS
    return label.start(1 if set_apart else 2), begin + length


def _role_of_other(name: str, other: Other) -> str:
    if other.kind in (METRIC, SHARD):
        return _NEVER
    if other.kind == WORD:
        return _ALONG
    label = label_before(name[: other.begin]) if other.kind == FRACTION else None
    said = [last_word(one).lower() for one in re.findall("[A-Za-z]+", other.text if label is None else label[2])]
    if other.kind == LABELLED and _RUNS.intersection(said):
        return _SURE
    if _METRICS.intersection(said):
        return _NEVER
    if _SETTINGS.intersection(said) or _RUNS.intersection(said):
        return _TELLING
    return _ALONG


def _role_of_reading(one: Reading, step: Reading) -> str:
    if one.kind in _COUNTED:
        return _NEVER
    # 1 of checkpoint_1_5000 counts epochs.
    return _TELLING if one.begin < step.begin and one.kind not in (DATE, CHECKPOINT) else _ALONG


def _names_of_runs(
    names: Mapping[str, str], steps: Mapping[str, Reading], keys: Mapping[str, Hashable], with_all: bool
) -> dict[Hashable, str]:
    """What runs are called: the names of their files without the step, and without what goes along with it."""
    called: dict[Hashable, str] = {}
    for key, group in grouped(keys).items():
        pieces = {path: _pieces(names[path], steps[path]) for path in group}
        first, common = group[0], _common_texts(group, pieces)
        begin, end = _span_of_step(names[first], steps[first])
        gone = [(begin, end)] + [
            (one.begin, one.begin + len(one.text))
            for one in pieces[first]
            if one.role == _NEVER or one.text not in common or (one.role == _ALONG and not with_all)
        ]
        called[key] = _without(names[first], gone)
    if len(set(called.values())) < len(called) or not all(called.values()):
        called = {key: _without(names[group[0]], [_span_of_step(names[group[0]], steps[group[0]])])
                  for key, group in grouped(keys).items()}  # fmt: skip
    return called


def _without(name: str, spans: Iterable[tuple[int, int]]) -> str:
    """A name without some of it, and without what joined that to the rest."""
    for begin, end in spans:
        name = name[:begin] + _GONE * (end - begin) + name[end:]
    joined = re.sub(rf"([\s_\-.,=:+~@#]*){_GONE}[{_GONE}\s_\-.,=:+~@#]*", lambda found: found[1][:1] or "-", name)
    return joined.strip(" _-.,=:+~@#")


def _two_ways(names: Mapping[str, str], steps: Mapping[str, Reading], keys: Mapping[str, Hashable], folder: str) -> str:
    """What is said of names that may be of one run or of several."""
    groups = list(grouped(keys).values())
    shown = [path for group in groups[:2] for path in group[:2]]
    lines = "".join(f"\n  {path}: step {steps[path].value}" for path in shown)
    more = f"\n  ... and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    whose = f" of {folder!r}" if folder else ""
    patterns = patterns_for(names, {path: one.value for path, one in steps.items()}, keys)
    options = ", or ".join(f"step_pattern={pattern!r} {what}" for what, pattern in patterns.items())
    return (
        f"The runs of the checkpoints{whose} cannot be told: their names differ in more than the step, and may be of "
        f"one run or of several.{lines}{more}\n"
        f"Give {options + '; or ' if options else ''}table=, a CSV with columns file, step and run."
    )
