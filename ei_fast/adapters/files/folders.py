"""A folder as Hugging Face saves a model: which of its files holds the weights."""

from collections.abc import Iterable
from pathlib import Path

# As `from_pretrained` looks for them, of models and of diffusers.
_WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "diffusion_pytorch_model.safetensors",
    "diffusion_pytorch_model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "diffusion_pytorch_model.bin",
    "diffusion_pytorch_model.bin.index.json",
)
FORMATS = (
    "A file must be .npz, .safetensors, .safetensors.index.json (beside its shards), .pt, .pth, .ckpt or .bin with a "
    "PyTorch state dict, .bin.index.json, .h5 or .hdf5 of a Keras model, .keras or .onnx"
)
"""What files of weights are, in words."""


def weights_in(folder: Path, suffixes: Iterable[str]) -> Path:
    """The file of weights in a folder that `save_pretrained` wrote, or that has an index of shards.

    Raises
    ------
    IsADirectoryError
        Where there is none, or one may be as good as another, with the files that can be read.
    """
    found = next((folder / name for name in _WEIGHTS if (folder / name).is_file()), None)
    indices = sorted(folder.glob("*.index.json"))
    if found is None and len(indices) == 1:
        found = indices[0]
    if found is None:
        raise IsADirectoryError(_about(folder, tuple(suffixes)))
    return found


def _about(folder: Path, suffixes: tuple[str, ...]) -> str:
    """What is said of a folder where a file should be: which of its files can be read."""
    inside = sorted(one.name for one in folder.iterdir() if one.name.endswith(suffixes) and one.is_file())
    named = (
        f"Give a file in it, like {str(folder / inside[0])!r}, or" if inside else "None of its files is read: load it"
    )
    what = (
        f"measure all of them: ei-fast batch plan {folder} --out ei --shards 1"
        if inside
        else "yourself with what wrote it, and pass the model or its weights."
    )
    return f"{FORMATS}. Got the folder {str(folder)!r} instead. {named} {what}"
