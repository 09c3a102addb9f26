"""Gates of recurrent layers in a dict of weights: each is a dense layer on (input, hidden state).

PyTorch stacks the gates of a cell in rows, Keras in columns, Flax keeps them apart. The candidate of a GRU multiplies
what comes of its hidden state by a gate inside the activation, so that it is no dense layer.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ei_fast.adapters.dicts.found import Arrays, Entries, FoundLayer, FoundParts, array_of, is_weight, vector_of
from ei_fast.adapters.dicts.values import shape_of

_LSTM_OF_TORCH = (("i", "sigmoid"), ("f", "sigmoid"), ("g", "tanh"), ("o", "sigmoid"))
_LSTM_OF_KERAS = (("i", "sigmoid"), ("f", "sigmoid"), ("c", "tanh"), ("o", "sigmoid"))
# By how many gates the rows hold; without an activation what is no dense layer.
_OF_TORCH: Mapping[int, Sequence[tuple[str, str | None]]] = {
    4: _LSTM_OF_TORCH,
    3: (("r", "sigmoid"), ("z", "sigmoid"), ("n", None)),
}
_OF_KERAS: Mapping[int, Sequence[tuple[str, str | None]]] = {
    4: _LSTM_OF_KERAS,
    3: (("z", "sigmoid"), ("r", "sigmoid"), ("h", None)),
}
_CANDIDATE = (
    "the candidate of a GRU, whose reset gate acts inside its activation: no dense layer on (input, hidden state)"
)
_NOTE = "gates are dense layers on (input, hidden state), both of which move over the range of the inputs"
_PATTERN = re.compile(r"^(?P<module>|.*[./])weight_ih(?P<end>_l\d+(_reverse)?)?$")
_FLAX_LSTM, _FLAX_GRU = ("i", "f", "g", "o"), ("r", "z", "n")


class _Cell(NamedTuple):
    """The weights of a cell: of its inputs and its hidden state, each with its bias, and what stands in them."""

    module: str
    end: str
    of_input: str
    of_hidden: str
    biases: tuple[str, ...]
    gates: Sequence[tuple[str, str | None]]
    n_hidden: int
    in_rows: bool
    note: str


def gates_in(entries: Entries) -> FoundParts:
    """The gates of all recurrent layers that names tell."""
    found = FoundParts()
    for part in (_of_torch(entries), _of_keras(entries)):
        for cell in part:
            _take(cell, entries, found)
    _of_flax(entries, found)
    return found


def _of_torch(entries: Entries) -> Iterator[_Cell]:
    for key in entries:
        match = _PATTERN.match(key)
        if match is None:
            continue
        module, end = match["module"], match["end"] or ""
        hidden = f"{module}weight_hh{end}"
        if hidden not in entries or not (is_weight(entries[key]) and is_weight(entries[hidden])):
            continue
        rows, n_hidden = shape_of(entries[hidden])
        projected = entries.get(f"{module}weight_hr{end}")
        if projected is not None:
            n_hidden = shape_of(projected)[-1]
        biases = tuple(f"{module}bias_{of}{end}" for of in ("ih", "hh"))
        n_gates = rows // n_hidden if rows % n_hidden == 0 else 0
        plain = [("h", "")] if n_gates == 1 else ()
        gates = _OF_TORCH.get(n_gates, plain)
        note = "" if n_gates > 1 else "; the activation of an RNN, which PyTorch makes tanh, is not in its weights"
        if shape_of(entries[key])[0] == rows:
            yield _Cell(module, end, key, hidden, biases, gates, n_hidden, True, note)


def _of_keras(entries: Entries) -> Iterator[_Cell]:
    for hidden in entries:
        begin = hidden.removesuffix("recurrent_kernel")
        key = f"{begin}kernel"
        if begin == hidden or key not in entries or not (is_weight(entries[key]) and is_weight(entries[hidden])):
            continue
        n_hidden, columns = shape_of(entries[hidden])
        n_gates = columns // n_hidden if columns % n_hidden == 0 else 0
        plain = [("h", "")] if n_gates == 1 else ()
        note = "; their activations are not in the weights: sigmoid and tanh are what Keras makes them by default"
        if n_gates == 1:
            note = "; the activation of a SimpleRNN, which Keras makes tanh, is not in its weights"
        if shape_of(entries[key])[1] == columns:
            yield _Cell(begin, "", key, hidden, (f"{begin}bias",), _OF_KERAS.get(n_gates, plain), n_hidden, False, note)


def _take(cell: _Cell, entries: Entries, found: FoundParts) -> None:
    keys = (cell.of_input, cell.of_hidden, *(key for key in cell.biases if entries.get(key) is not None))
    found.keys.update(keys)
    name = cell.module.rstrip("./") or "cell"
    if not cell.gates:
        found.skipped[name] = "a recurrent layer, and how many gates its weights hold is not told by their shapes"
        return
    n_in = shape_of(entries[cell.of_input])[1 if cell.in_rows else 0]
    n_state = shape_of(entries[cell.of_hidden])[1 if cell.in_rows else 0]
    for k, (gate, activation) in enumerate(cell.gates):
        called = f"{name}.{gate}{cell.end}" if cell.in_rows else f"{name}/{gate}"
        if activation is None:
            found.skipped[called] = _CANDIDATE
            continue
        read = partial(_gate, cell, entries, k)
        found.layers.append(FoundLayer(called, n_in + n_state, cell.n_hidden, keys, read, activation or None))
    found.notes.append((f"{name}{cell.end}", f"{_NOTE}{cell.note}"))
    projection = f"{cell.module}weight_hr{cell.end}"
    if cell.in_rows and projection in entries:
        # What the hidden state is made of, after the output gate.
        found.keys.add(projection)
        read = partial(_transposed, projection, entries)
        n_out = shape_of(entries[projection])[0]
        found.layers.append(FoundLayer(f"{name}.hr{cell.end}", cell.n_hidden, n_out, (projection,), read, "linear"))


def _gate(cell: _Cell, entries: Entries, k: int) -> Arrays:
    """Weight (n_in + n_hidden, n_hidden) and bias of one gate."""
    part = slice(k * cell.n_hidden, (k + 1) * cell.n_hidden)
    both = [np.asarray(array_of(entries, key), np.float64) for key in (cell.of_input, cell.of_hidden)]
    weight = np.concatenate([one[part].T if cell.in_rows else one[:, part] for one in both])
    biases = [np.asarray(array_of(entries, key), np.float64) for key in cell.biases if entries.get(key) is not None]
    # Keras has those of inputs and hidden state as two rows.
    return weight, sum(
        (one[..., part].reshape(-1, cell.n_hidden).sum(axis=0) for one in biases), np.zeros(cell.n_hidden)
    )


def _transposed(key: str, entries: Entries) -> Arrays:
    return array_of(entries, key).T, None


def _of_flax(entries: Entries, found: FoundParts) -> None:
    """Cells whose gates have a dense layer of the input and one of the hidden state each: ii, hi, if, hf, ..."""
    begins = dict.fromkeys(key[: -len("hi/kernel")] for key in entries if re.search(r"(^|/)h[ir]/kernel$", key))
    for begin in begins:
        gates = next((of for of in (_FLAX_LSTM, _FLAX_GRU) if _has_all(begin, of, entries)), None)
        if gates is None:
            continue
        name = begin.rstrip("/") or "cell"
        for gate in gates:
            kernels = tuple(f"{begin}{of}{gate}/kernel" for of in "ih")
            biases = tuple(key for of in "ih" if entries.get(key := f"{begin}{of}{gate}/bias") is not None)
            found.keys.update((*kernels, *biases))
            if gates == _FLAX_GRU and gate == "n":
                found.skipped[f"{name}/{gate}"] = _CANDIDATE
                continue
            (n_in, n_hidden), (n_state, _) = (shape_of(entries[key]) for key in kernels)
            read = partial(_joined, kernels, biases, entries, n_hidden)
            activation = "tanh" if gate == "g" else "sigmoid"
            keys = (*kernels, *biases)
            found.layers.append(FoundLayer(f"{name}/{gate}", n_in + n_state, n_hidden, keys, read, activation))
        found.notes.append((name, f"{_NOTE}; sigmoid and tanh are what Flax makes their activations by default"))


def _has_all(begin: str, gates: Sequence[str], entries: Entries) -> bool:
    keys = [f"{begin}{of}{gate}/kernel" for of in "ih" for gate in gates]
    return all(key in entries and is_weight(entries[key]) for key in keys) and (
        len({shape_of(entries[key])[1] for key in keys}) == 1
    )


def _joined(kernels: Sequence[str], biases: Sequence[str], entries: Entries, n: int) -> Arrays:
    weight = np.concatenate([np.asarray(array_of(entries, key), np.float64) for key in kernels])
    vectors: list[Any] = [vector_of(entries, key, n) for key in biases]
    return weight, sum((np.asarray(one, np.float64) for one in vectors if one is not None), np.zeros(n))
