"""What stands in a dict beside a network because it was trained: states of optimisers, gradients, counts of steps."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ei_fast.adapters.dicts.naming import SEPARATORS, last_part, module_of
from ei_fast.adapters.dicts.values import shape_of

WHY = "of its training, and no part of the network"

_PARTS = frozenset(
    (
        *("optimizer", "optimizers", "optimizer_state", "optimizer_states", "optimizer_state_dict", "optim"),
        *("opt_state", "optim_state", "exp_avg", "exp_avg_sq", "max_exp_avg_sq", "momentum_buffer"),
        *("grad", "grads", "gradient", "gradients", "lr_scheduler", "lr_schedulers", "scheduler"),
    )
)
# Of TensorFlow 1, behind the name of a variable.
_SLOT = r"(Adam|Adam_1|Momentum|RMSProp|RMSProp_1|Adagrad|Adadelta|Adadelta_1|Ftrl|Ftrl_1)$"
_COUNTS = frozenset(
    (
        *("n_averaged", "step", "steps", "global_step", "epoch", "iteration", "iterations", "num_updates"),
        *("beta1_power", "beta2_power", "learning_rate", "lr"),
    )
)


def without_training(entries: Mapping[str, Any], named: Iterable[str]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """The entries of the network, and what else there is, with the reason; all where only training is there.

    `named` are layers that were asked for: what belongs to them stays.
    """
    asked = tuple(f"{name}{between}" for name in named for between in "./")
    kept = {key: value for key, value in entries.items() if key.startswith(asked) or not _of_training(key, value)}
    if not any(re.search(r"(^|[./])(weight|kernel|w\d+)$", key) for key in kept):
        return dict(entries), []
    # What stands behind an entry's name would have the entry's: its own tells which it is.
    others = dict.fromkeys(key if module_of(key) in kept else module_of(key) for key in entries if key not in kept)
    return kept, [(name, WHY) for name in others]


def _of_training(key: str, value: Any) -> bool:
    if not _PARTS.isdisjoint(re.split(SEPARATORS, key)):
        return True
    last = last_part(key)
    return re.match(_SLOT, last) is not None or (last in _COUNTS and shape_of(value) in ((), (1,)))
