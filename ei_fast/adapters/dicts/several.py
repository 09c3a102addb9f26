"""Dicts that hold more than one network, or layers side by side: their widths may chain, and they are no chain."""

import re
from collections.abc import Mapping
from itertools import combinations

from ei_fast.adapters.dicts.copies import pairs_of, tell_an_order, words_of
from ei_fast.adapters.dicts.naming import last_part

# Networks that stand beside each other in one model, whatever numbers or letters tell them apart.
_ROLES = frozenset(
    (
        *("online", "target", "main", "ema", "momentum", "polyak", "shadow", "averaged", "swa", "old", "new", "best"),
        *("student", "teacher", "frozen", "reference", "ref", "generator", "discriminator", "twin", "copy", "copies"),
        *("netg", "netd", "gen", "disc"),
        *("policy", "actor", "critic", "critics", "value", "q", "qf", "qs", "qnet", "vf", "pi"),
        *("ensemble", "member", "members", "models", "nets", "networks", "estimators", "experts", "agents", "heads"),
        *("branch", "branches", "tower", "towers", "stream", "streams", "siamese"),
    )
)
# Of which there are several by what they are called: what stands in them are networks, whatever number each has.
_COLLECTIONS = frozenset(
    (
        *("ensemble", "member", "members", "models", "nets", "networks", "estimators", "experts", "agents", "heads"),
        *("branches", "towers", "streams", "critics", "qs", "copies", "siamese", "twin"),
    )
)
# What is numbered where there are several: model1 and model2, but blocks of one model are numbered too.
_NUMBERED = (
    r"(model|net|network|qnetwork|q_?net|seed|fold|copy|agent|epoch|step|iter|iteration|checkpoint|ckpt|snapshot|run|"
    r"trial|round|version|client|worker|rank|replica|expert|learner|individual|task|domain|player)[_-]?\d+"
)
# What wraps a network, maybe one of two alone.
_WRAPPERS = r"[./](module|_orig_mod)(?=[./]|$)"
# So they are called for short, and so may two layers be.
_GENERATOR_AND_DISCRIMINATOR = frozenset(("g", "d"))
# Of how many siblings each pair is looked at.
_MOST_SIBLINGS = 64
# Projections of an attention or a gate, which all take the same inputs.
_SIDE_BY_SIDE = (
    frozenset(("q", "k", "v", "q_proj", "k_proj", "v_proj", "query", "key", "value", "wq", "wk", "wv")),
    frozenset(("to_q", "to_k", "to_v", "query_proj", "key_proj", "value_proj", "q_lin", "k_lin", "v_lin")),
    frozenset(("w_q", "w_k", "w_v")),
    frozenset(("w_qs", "w_ks", "w_vs")),
    frozenset(("q_linear", "k_linear", "v_linear")),
    frozenset(("theta", "phi", "g")),
    frozenset(("gate_proj", "up_proj")),
    # The gate of SwiGLU, as LLaMA calls it, beside what it opens.
    frozenset(("w1", "w3")),
    # Mean and spread of a distribution.
    frozenset(("mu", "logvar", "log_var", "log_std", "logstd", "sigma")),
    frozenset(("mean", "logvar", "log_var", "log_std", "logstd", "std")),
    frozenset(("fc_mu", "fc_logvar", "fc_var", "fc_log_var")),
)
# Words, of which one in the place of the other names what takes the same inputs: attn_q and attn_k.
_SIDES = (
    frozenset(("q", "k", "v")),
    frozenset(("query", "key", "value")),
    frozenset(("gate", "up")),
    frozenset(("mu", "mean", "logvar", "logstd", "std", "sigma", "var")),
    frozenset(("advantage", "value")),
    frozenset(("adv", "val")),
    frozenset(("real", "imag")),
    frozenset(("forward", "backward", "reverse")),
)

Shapes = Mapping[str, tuple[int, ...]]


def several_networks(shapes: Shapes) -> tuple[str, str] | None:
    """Names before those of the layers of two networks, if there are two; None where there is one.

    Two networks hold layers of the same names, of which some have the same shape too, behind names that differ in more
    than a number; behind names like ``critic1`` and ``critic2`` a number is enough.

    Parameters
    ----------
    shapes : mapping of str to tuple of int
        Shape of every layer's weight.
    """
    for parent, siblings in _siblings(shapes).items():
        kinds: dict[str, str] = {}
        for prefix in siblings:
            last = last_part(prefix)
            kinds.setdefault(last if _role(last) or _collects(parent) else re.sub(r"\d+", "0", last), prefix)
        for one, other in combinations(list(kinds.values())[:_MOST_SIBLINGS], 2):
            if _are_networks(one, siblings[one], other, siblings[other], _collects(parent)):
                return one, other
    return None


def side_by_side(shapes: Shapes) -> tuple[str, str] | None:
    """Two layers that take the same inputs, as the projections of an attention do; None where no name says so."""
    for siblings in _siblings(shapes).values():
        leaves = {last_part(prefix).lower(): prefix for prefix, inside in siblings.items() if "" in inside}
        for names in _SIDE_BY_SIDE:
            found = [prefix for name, prefix in leaves.items() if name in names]
            if len(found) > 1 and shapes[found[0]] == shapes[found[1]]:
                return found[0], found[1]
    for words, (one, other) in pairs_of(shapes):
        are_heads = "head" in words_of(last_part(one)) and "head" in words_of(last_part(other)) and all(words)
        if shapes[one] == shapes[other] and (are_heads or any(set(words) <= side for side in _SIDES)):
            return one, other
    return None


def _siblings(shapes: Shapes) -> dict[str, dict[str, dict[str, tuple[int, ...]]]]:
    """By what names begin with, how they go on for one part; and by that the rest of the names, with the shapes."""
    found: dict[str, dict[str, dict[str, tuple[int, ...]]]] = {}
    for name, shape in shapes.items():
        ends = [match.start() for match in re.finditer("[./]", name)] + [len(name)]
        for begin, end in zip([0, *ends], ends, strict=False):
            rest = re.sub(_WRAPPERS, "", name[end:])
            found.setdefault(name[:begin], {}).setdefault(name[:end], {})[rest] = shape
    return found


def _are_networks(one: str, inside: Shapes, other: str, inside_other: Shapes, are_members: bool) -> bool:
    if _role(last_part(one)) and _role(last_part(other)):
        # An actor and a critic, whatever their layers are called.
        return True
    letters = [_GENERATOR_AND_DISCRIMINATOR.intersection(words_of(last_part(name))) for name in (one, other)]
    if all(len(of_name) == 1 for of_name in letters) and letters[0] != letters[1]:
        return min(len(inside), len(inside_other)) > 1
    fewer, more = sorted((inside, inside_other), key=len)
    if not fewer.keys() <= more.keys() or all(fewer[rest] != more[rest] for rest in fewer):
        return False
    if set(fewer) == {""}:
        # Two layers, and no networks, but for what they are called, or what they are members of.
        return are_members
    # One layer each, wrapped, behind names of places: hidden.linear, out.linear.
    return len(fewer) > 1 or len(more) > 1 or not tell_an_order((last_part(one), last_part(other)))


def _collects(parent: str) -> bool:
    """Whether a name is one of a list of networks: ``ensemble``, ``target_critics``."""
    return not _COLLECTIONS.isdisjoint(re.split("[^a-z]+", last_part(parent).lower()))


def _role(part: str) -> bool:
    """Whether a part of a name is one of a network among several: ``target``, ``critic_2``, ``online_encoder``."""
    part = part.lower()
    return not _ROLES.isdisjoint(re.split("[^a-z]+", part)) or re.fullmatch(_NUMBERED, part) is not None
