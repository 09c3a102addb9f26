"""The gallery: runs the scripts of examples/ as they stand, stores the pictures that they leave and writes index.md.

python docs/gallery/make.py [NAME ...]

Without names all are run. Where one cannot be, because its framework is not installed, its pictures stay as they were,
and the exit code is 1.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

GALLERY = Path(__file__).resolve().parent
ROOT = GALLERY.parents[1]
MAX_WIDTH = 1200  # pixels

# In the order in which one gets to know the package: the heading of each, and what is seen in its pictures.
EXAMPLES: dict[str, tuple[str, dict[str, str]]] = {
    "numpy_loop": (
        "A loop in NumPy",
        {"numpy_loop.png": "Two layers move up through the causal plane, from open circles to filled ones"},
    ),
    "sklearn_partial_fit": (
        "scikit-learn",
        {
            "sklearn_partial_fit.png": "Three layers move up through the causal plane, away from degeneracy 0",
            "sklearn_edges.png": "A map of every layer: EI of each edge, from input to output, as a colour",
            "sklearn_bins.png": "EI and sensitivity of three layers at 4, 8, 16 and 32 bins: all go on rising",
        },
    ),
    "chance": (
        "More than chance?",
        {
            "chance.png": "EI of two layers, each beside a hundred drawn by chance: both lie above most of these",
            "chance_trainings.png": "Differences of EI between two trainings: three lines, away from 0 at all steps",
        },
    ),
    "ablation": (
        "Who carries it?",
        {
            "ablation.png": "A map of 24 edges: without most of those of two inputs EI rises by about a bit",
            "ablation_curve.png": "EI and loss against the share of edges left out, in three orders, that cross",
        },
    ),
    "inputs": (
        "Other inputs than uniform ones",
        {"inputs.png": "Three bars with intervals for each of two layers: uniform inputs tell least, and most"},
    ),
    "pytorch_loop": (
        "PyTorch",
        {"pytorch_loop.png": "Curves of the five measures of two layers, and of two losses"},
    ),
    "lightning_trainer": (
        "Lightning",
        {"lightning_trainer.png": "The page at its last step: causal plane, loss, a slider and a key of layers"},
    ),
    "keras_fit": (
        "Keras",
        {"keras_fit.gif": "Two layers move through the causal plane, and a marker along the loss beside it"},
    ),
    "flax_loop": (
        "Flax",
        {"flax_loop.png": "Two layers move up through the causal plane, and turn left at the end"},
    ),
    "digits": (
        "Wide layers",
        {
            "digits.png": "Three layers move down through the causal plane, two of them below degeneracy 0",
            "digits_measures.png": "Curves of the five measures of three layers, and of the loss",
        },
    ),
    "information_profile": (
        "What inputs tell",
        {
            "information_profile.png": "Of each of 30 inputs two points, alone and with all others known, far apart; "
            "beside them a point for each of six outputs"
        },
    ),
}

INTRODUCTION = """\
# Gallery

Every script in `examples/`, as it stands, with the pictures that it leaves. This page and its pictures
are made by `python docs/gallery/make.py`; with names, as in `make.py numpy_loop`, only those scripts are run again.
"""

SLURM = """\
## Many checkpoints, in Slurm

What is in `examples/slurm/` measures stored checkpoints on a cluster:
[submit.sh](../../examples/slurm/submit.sh) plans the work and submits an array job that shares it
([array.sbatch](../../examples/slurm/array.sbatch)), and one that merges what was measured
([merge.sbatch](../../examples/slurm/merge.sbatch)). The trajectory is then drawn as those above are.
"""


def page() -> str:
    """The text of index.md."""
    return "\n".join([INTRODUCTION, *map(entry, EXAMPLES), SLURM])


def entry(name: str) -> str:
    """Heading, title, pictures and code of an example."""
    heading, pictures = EXAMPLES[name]
    code = (ROOT / "examples" / f"{name}.py").read_text(encoding="utf-8")
    title = code.splitlines()[0].strip('"')
    shown = "\n\n".join(f"![{text}]({picture})" for picture, text in pictures.items())
    link = f"[examples/{name}.py](../../examples/{name}.py)"
    return f"## {heading}\n\n{title} ({link})\n\n{shown}\n\n```python\n{code}```\n"


def remake(name: str) -> None:
    """Run an example in a process and a folder of its own, and store its pictures."""
    # A browser may still write into its profile when it has been told to end.
    with TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary)
        run(name, folder)
        for left in folder.glob("*.html"):
            photograph(left, folder / "profile")
        left = {path.name for path in folder.iterdir() if path.suffix in (".png", ".gif")}
        if left != set(EXAMPLES[name][1]):
            raise RuntimeError(f"it left {sorted(left)}, which is not what EXAMPLES says")
        for picture in left:
            store(folder / picture)


def run(name: str, folder: Path) -> None:
    """Run an example; RuntimeError, with the last line that it wrote, where it fails."""
    paths = filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / f"{name}.py"],
        cwd=folder,
        env={**os.environ, "MPLBACKEND": "agg", "PYTHONPATH": os.pathsep.join(paths)},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError((done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1])


def photograph(path: Path, profile: Path) -> None:
    """Take a picture of a page with a player, at its last step, where all trails are to be seen."""
    # The browser of the tests.
    sys.path.insert(0, str(ROOT / "tests"))
    from chromium import Chromium, found

    if found() is None:
        raise RuntimeError("there is no Chromium to open its page in")
    browser = Chromium(profile)
    try:
        browser.resize(MAX_WIDTH, 700)
        browser.prefer("light")
        browser.open(path.as_uri())
        browser.wait_for("window.eiPlayer")
        browser.press("End")
        browser.settle()
        Image.fromarray(browser.pixels()).save(path.with_suffix(".png"))
    finally:
        browser.close()


def store(path: Path) -> None:
    """Store a picture in the gallery; all but a video narrowed and with a palette, a third as large."""
    if path.suffix == ".gif":
        shutil.copyfile(path, GALLERY / path.name)
        return
    with Image.open(path) as image:
        small = image.convert("RGB")
    small.thumbnail((MAX_WIDTH, 10 * MAX_WIDTH), Image.Resampling.LANCZOS)
    # The other methods shift light colours visibly.
    small = small.quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    small.save(GALLERY / path.name, optimize=True)


def main(names: list[str]) -> int:
    """Remake some examples and write the page; 1 where one could not be run."""
    code = 0
    for name in names:
        begun = time.monotonic()
        try:
            remake(name)
        except RuntimeError as error:
            print(f"{name}: not made, its pictures stay as they were: {error}", file=sys.stderr)
            code = 1
        else:
            print(f"{name}: {time.monotonic() - begun:.0f} s")
    (GALLERY / "index.md").write_text(page(), encoding="utf-8")
    return code


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which of {', '.join(EXAMPLES)}; all by default")
    chosen = parser.parse_args().names or list(EXAMPLES)
    if unknown := set(chosen) - set(EXAMPLES):
        parser.error(f"no example is named {', '.join(sorted(unknown))}")
    raise SystemExit(main(chosen))
