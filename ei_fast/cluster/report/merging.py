"""Put the results together: the trajectory, a table, and apart from both who computed what and how long it took."""

import csv
import io
import json
import os
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone

from ei_fast._version import __version__
from ei_fast.cluster.finding.tables import FURTHER
from ei_fast.cluster.planning.batch import Batch
from ei_fast.cluster.report.progress import Result, collect
from ei_fast.cluster.running.log import AS_SHOWN
from ei_fast.cluster.store.files import Place, has_parts, unfinished_files
from ei_fast.cluster.store.locks import is_held
from ei_fast.cluster.store.results import writing
from ei_fast.errors import Incomplete
from ei_fast.network.bins import ranges_from
from ei_fast.results.report import ENDS
from ei_fast.results.tables import frame_of
from ei_fast.runtime.files import is_unfinished, plain, write_together
from ei_fast.training.columns import COLUMNS, MEASURES
from ei_fast.training.continuation import provenance_of
from ei_fast.training.trajectory import Trajectory

_MAX_NAMED = 20


def merge(folder: str | os.PathLike[str], allow_incomplete: bool = False) -> list[Path]:
    """Write ``trajectory.npz``, ``trajectory.csv`` (``.parquet`` too, with pandas and pyarrow) and ``run_info.json``.

    Parameters
    ----------
    folder : str or path
        Of the batch.
    allow_incomplete : bool, default False
        Whether checkpoints may be missing or have failed: they are then left out.

    Returns
    -------
    list of Path
        What was written. All but ``run_info.json`` depend on checkpoints and plan only.

    Raises
    ------
    Incomplete
        Naming the checkpoints that have no result, and why.
    """
    batch = Batch.load(Path(os.path.abspath(folder)))
    results, lacking = collect(batch)
    reasons = {path: one.said for path, one in lacking.items()}
    if reasons and not (allow_incomplete and len(reasons) < len(results)):
        named = [f"{path}: {AS_SHOWN.get()(said)}" for path, said in list(reasons.items())[:_MAX_NAMED]]
        if len(reasons) > _MAX_NAMED:
            named.append(f"... and {len(reasons) - _MAX_NAMED} more")
        raise Incomplete(
            f"{len(reasons)} of {len(results)} checkpoints have no result:\n" + "\n".join(named) + "\n"
            "Run their shards again, or merge with allow_incomplete=True."
        )
    kept = [(one, result) for one, result in zip(batch.checkpoints, results, strict=True) if result is not None]
    trajectory = _trajectory(batch, kept)
    rows = _rows(batch, trajectory.ranges, kept)
    # Those of metrics stand together, whichever checkpoint has them first.
    columns = [*COLUMNS[not batch.has_runs :], *trajectory.metrics, *FURTHER, "checkpoint"]
    files = {
        batch.folder / "trajectory.npz": trajectory.to_bytes(),
        batch.folder / "trajectory.csv": _csv(rows, columns),
    }
    if find_spec("pandas") and find_spec("pyarrow"):
        buffer = io.BytesIO()
        frame_of(rows, columns, "A merge").to_parquet(buffer, engine="pyarrow", index=False)
        files[batch.folder / "trajectory.parquet"] = buffer.getvalue()
    files[batch.folder / "run_info.json"] = _run_info(batch, kept, reasons)
    with writing(batch.folder / "trajectory.npz"):
        write_together(files)
    _tidy(batch, kept)
    return list(files)


def _trajectory(batch: Batch, kept: Sequence[tuple[Any, Result]]) -> Trajectory:
    estimator = clone(batch.estimator).set_params(random_state=batch.seed)
    provenance = provenance_of(estimator, batch.ranges_and_seed(next(iter(batch.ranges))), batch.layers)
    if batch.has_runs:
        del provenance["ranges"]
        provenance["ranges_of_runs"] = plain(batch.ranges)
    names = list(dict.fromkeys(name for one, _ in kept for name in one.metrics))
    return Trajectory(
        [one.step for one, _ in kept],
        [name for name, _, _ in batch.layers],
        {name: [[_figure(layer, name) for layer in result["layers"]] for _, result in kept] for name in MEASURES},
        {name: [one.metrics.get(name, np.nan) for one, _ in kept] for name in names},
        provenance,
        [one.run for one, _ in kept] if batch.has_runs else None,
        flags=[[layer["flags"] for layer in result["layers"]] for _, result in kept],
        layer_ranges=[
            ranges_from([(layer["in_range"], layer["out_range"]) for layer in result["layers"]]) for _, result in kept
        ],
    )


def _rows(batch: Batch, ranges: str, kept: Sequence[tuple[Any, Result]]) -> list[dict[str, Any]]:
    """One row a checkpoint and layer; first what the trajectory's frame has."""
    rows = []
    for one, result in kept:
        for layer in result["layers"]:
            row: dict[str, Any] = {"run": one.run} if batch.has_runs else {}
            row |= {"step": one.step, "layer": layer["name"]}
            row |= dict.fromkeys(COLUMNS[3:])
            row |= {name: _figure(layer, name) for name in MEASURES}
            row |= {"flags": ", ".join(layer["flags"]), "ranges": ranges}
            row |= one.metrics
            row |= {name: layer[name] for name in FURTHER} | {"checkpoint": one.path}
            rows.append(row)
    return rows


def _figure(layer: Mapping[str, Any], name: str) -> float:
    if name not in ENDS:
        return _number(layer[name])
    pair, end = ENDS[name]
    # Results that were written before there were bounds have none.
    return _number(layer.get(pair, (None, None))[end])


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _csv(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _run_info(batch: Batch, kept: Sequence[tuple[Any, Result]], reasons: dict[str, str]) -> bytes:
    seconds: dict[str, float] = {}
    for _, result in kept:
        seconds[result["machine"]] = seconds.get(result["machine"], 0.0) + result["seconds"]
    content = {
        "ei_fast": __version__,
        "checkpoints": str(batch.base),
        "shards": batch.n_shards,
        "seconds_by_machine": seconds,
        "libraries": [dict(one) for one in {tuple(sorted(result["libraries"].items())) for _, result in kept}],
        "without_result": reasons,
        "results": [
            {"checkpoint": one.path, "machine": result["machine"], "seconds": result["seconds"], "key": result["key"]}
            for one, result in kept
        ],
    }
    return json.dumps(plain(content), indent=1).encode()


def _tidy(batch: Batch, kept: Sequence[tuple[Any, Result]]) -> None:
    """Remove what killed processes have left, if nobody is at work: parts of what is whole, too."""
    if any(is_held(batch.folder, shard) for shard in range(batch.n_shards)):
        return
    for path, _ in unfinished_files(batch.folder):
        path.unlink(missing_ok=True)
    for one, result in kept if has_parts(batch.folder) else ():
        Place(batch.folder, one.run, one.step, result["settings"]).remove_parts(result["key"])
    for path in batch.folder.iterdir():
        if is_unfinished(path):
            path.unlink(missing_ok=True)
