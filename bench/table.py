"""From stored benchmarks to the table of docs/speed.md, of which the README has some lines, and the plot of growth.

pytest bench -n 0 --benchmark-enable --benchmark-json=bench.json && python bench/table.py bench.json
"""

import json
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

PLOT = Path(__file__).parents[1] / "docs" / "images" / "growth.png"


def contests(benchmarks: list[dict]) -> list[str]:
    """Lines of a table: work, our time, theirs, the ratio, the ratio aimed for."""
    groups: dict[str, dict[str, dict]] = defaultdict(dict)
    for one in benchmarks:
        if "side" in one["extra_info"]:
            groups[one["group"]][one["extra_info"]["side"]] = one
    lines = ["| work | ei_fast | peer | ratio | aim |", "| --- | --- | --- | --- | --- |"]
    for work, sides in groups.items():
        ours = sides["ours"]["stats"]["median"]
        for side, one in sides.items():
            if side == "ours":
                continue
            info, theirs = one["extra_info"], one["stats"]["median"] * one["extra_info"]["scale"]
            peer = info["peer"] if side == "theirs" else f"{side}: {info['peer']}"
            ratio = f"{theirs / ours:,.0f}×" if theirs > 10 * ours else f"{theirs / ours:.1f}×"
            lines.append(f"| {work} | {_time(ours)} | {peer}, {_time(theirs)} | {ratio} | {info['target']} |")
    return lines


def growth(benchmarks: list[dict]) -> Figure:
    """Time against samples and widths, log-log, with the slope of a straight line through each."""
    curves: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for one in benchmarks:
        if (one["group"] or "").startswith("growth"):
            size = next(value for value in reversed(one["params"].values()) if isinstance(value, int))
            curves[one["group"].removeprefix("growth with ")].append((size, one["stats"]["median"]))
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.subplots()
    for name, points in curves.items():
        sizes, times = np.array(sorted(points)).T
        slope = np.polyfit(np.log(sizes), np.log(times), 1)[0]
        print(f"{name}: slope {slope:.2f}")
        axes.loglog(sizes / sizes[0], times, "o-", label=f"{name}: slope {slope:.2f}")
    axes.set_xlabel("size, as a multiple of the smallest")
    axes.set_ylabel("seconds")
    axes.legend(fontsize=8)
    return figure


def _time(seconds: float) -> str:
    return f"{seconds * 1e3:.2g} ms" if seconds < 0.1 else f"{seconds:,.2g} s" if seconds < 100 else f"{seconds:,.0f} s"


if __name__ == "__main__":
    stored = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["benchmarks"]
    print("\n".join(contests(stored)))
    growth(stored).savefig(PLOT, dpi=120)
