"""Damaged and malicious files of weights: nothing worse than a ValueError."""

import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch
from peak import PEAK, reads_proc
from weight_files import SUFFIXES, state_of_all, write_file

import ei_fast as ef


def _damaged(content, n_flips):
    """The content cut off at many places, and with bits flipped: few, and many."""
    rng = np.random.default_rng(1)
    cuts = sorted({*range(0, min(len(content), 400), 7), *rng.integers(0, len(content), 60).tolist()})
    for cut in cuts:
        yield content[:cut]
    for flip in range(n_flips):
        damaged = bytearray(content)
        for at in rng.integers(0, len(content), 1 if flip % 2 else 20):
            damaged[at] ^= 1 << int(rng.integers(8))
        yield bytes(damaged)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("suffix", SUFFIXES[:4])
def test_damaged_files_are_refused_or_read(tmp_path, suffix, dtype):
    # Small, so that most of what is damaged is structure.
    state = {key: value.to(torch.float32 if suffix == ".npz" else dtype) for key, value in state_of_all().items()}
    path = write_file(tmp_path, suffix, state)
    content = path.read_bytes()
    refused = read = 0
    for damaged in _damaged(content, n_flips=300):
        path.write_bytes(damaged)
        try:
            net = ef.as_network(path)
        except ValueError:
            refused += 1
        else:
            assert isinstance(net, ef.Network)
            read += 1
    assert refused > 100
    path.write_bytes(content)
    assert len(ef.as_network(path)) == 3


@pytest.mark.parametrize("suffix", [".npz", ".safetensors", ".pt"])
def test_no_file_that_is_cut_off_is_read(tmp_path, suffix):
    path = write_file(tmp_path, suffix)
    content = path.read_bytes()
    for cut in range(0, len(content), max(1, len(content) // 100)):
        path.write_bytes(content[:cut])
        with pytest.raises(ValueError, match=r"net\."):
            ef.as_network(path)


class _Touch:
    """Touches a file when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_code_in_files_is_not_run(tmp_path):
    trace = tmp_path / "trace"
    evil = _Touch(trace)
    pickle.loads(pickle.dumps(evil))
    assert trace.exists()
    trace.rmdir()
    saved, plain, arrays, renamed = (tmp_path / name for name in ("saved.pt", "plain.pt", "net.npz", "renamed.npz"))
    torch.save({**state_of_all(), "evil": evil}, saved)
    plain.write_bytes(pickle.dumps(evil))
    np.savez(arrays, w0=np.ones((2, 2)), w1=np.array([[evil]], dtype=object))
    renamed.write_bytes(pickle.dumps(evil))
    for path, message in [
        (saved, "could run code and is not read"),
        (plain, "must be an archive"),
        (arrays, "Its entry number 1 is a Python object"),
        (renamed, "cannot be read as .npz"),
    ]:
        with pytest.raises(ValueError, match=message):
            ef.as_network(path)
        assert not trace.exists()
    for name in ("net.pkl", "net.pickle", "net.joblib"):
        (tmp_path / name).write_bytes(pickle.dumps(evil))
        with pytest.raises(ValueError, match="Pickles run code"):
            ef.as_network(tmp_path / name)
        assert not trace.exists()


def _header(entries, length=None):
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text


def _npy_header(shape, dtype="<f8"):
    text = repr({"descr": dtype, "fortran_order": False, "shape": shape}).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def _zipped(path, entries, compression=zipfile.ZIP_DEFLATED):
    """An archive of names, and for each the beginning of an entry and the number of zeros that follow it."""
    with zipfile.ZipFile(path, "w", compression, compresslevel=1) as archive:
        for name, begin, n_zeros in entries:
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(begin)
                for _ in range(n_zeros // 2**20):
                    member.write(bytes(2**20))


def _make_malicious(folder):
    """Files that claim, or expand to, far more than they hold."""
    wide = {"dtype": "F32", "shape": [50_000, 50_000], "data_offsets": [0, 10**10]}
    (folder / "length.safetensors").write_bytes(_header({}, 10**10))
    (folder / "offsets.safetensors").write_bytes(_header({"fc.weight": wide}) + bytes(8))
    (folder / "shape.safetensors").write_bytes(_header({"fc.weight": {**wide, "data_offsets": [0, 8]}}) + bytes(8))
    many = {f"{k}": {"dtype": "F32", "shape": [0] * 20, "data_offsets": [0, 0]} for k in range(200_000)}
    (folder / "names.safetensors").write_bytes(_header(many))
    (folder / "lists.safetensors.index.json").write_text("[" + "[]," * (20 * 2**20) + "[]]")
    _zipped(folder / "bomb.npz", [("w0.npy", _npy_header((2**28, 1)), 2**31)])
    _zipped(folder / "bombs.npz", [(f"w{k}.npy", _npy_header((2**20, 1)), 2**23) for k in range(64)])
    _zipped(folder / "claim.npz", [("w0.npy", _npy_header((2**30, 2)), 2**20)])
    _zipped(
        folder / "names.npz",
        [("w0.npy", _npy_header((1, 1)) + bytes(8), 0), ("activation.npy", _npy_header((10**9,), "<U0"), 0)],
    )
    _zipped(folder / "bomb.pt", [("net/data.pkl", b"", 2**29)])
    _zipped(folder / "lists.pt", [("net/data.pkl", b"\x80\x02(" + b"]" * (20 * 2**20) + b"t.", 0)], zipfile.ZIP_STORED)
    torch.save({"fc.weight": torch.ones(1, 1).expand(100_000, 100_000)}, folder / "stride.pt")
    torch.save({f"{k}.weight": torch.ones(1_000).expand(1_000, 1_000) for k in range(200)}, folder / "strides.pt")


_MEASURE = (
    PEAK
    + """
import json, sys
from pathlib import Path
import numpy as np, torch, safetensors
import ei_fast as ef

for path in json.loads(sys.argv[1]):
    ef.as_network(path)
before = peak()
result = {}
for path in json.loads(sys.argv[2]):
    try:
        raised = str(ef.as_network(path))
    except BaseException as error:
        raised = f"{type(error).__name__}: {error}"
    result[Path(path).name] = raised, (peak() - before) / 2**20
np.ones(300 * 2**17)
print(json.dumps([result, (peak() - before) / 2**20]))
"""
)


@pytest.mark.slow
@reads_proc
def test_files_cannot_exhaust_memory(tmp_path):
    warm = [str(write_file(tmp_path, suffix)) for suffix in (".npz", ".safetensors", ".pt")]
    folder = tmp_path / "malicious"
    folder.mkdir()
    _make_malicious(folder)
    given = sorted(str(path) for path in folder.iterdir())
    assert len(given) == 13
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, json.dumps(warm), json.dumps(given)],
        capture_output=True,
        text=True,
        check=True,
    )
    result, growth_of_control = json.loads(done.stdout)
    for name, (raised, growth) in result.items():
        assert raised.startswith("ValueError"), (name, raised)
        # In megabytes, of this file and all before it.
        assert growth <= 200, name
    assert "expand to much more than weights do" in result["bomb.npz"][0]
    assert "w0.npy claims another size than it has" in result["claim.npz"][0]
    assert "claims to hold more than its size" in result["bomb.pt"][0]
    assert "far more than it holds" in result["stride.pt"][0]
    assert "its header claims 10000000000 bytes" in result["length.safetensors"][0]
    # What is allocated is seen.
    assert growth_of_control > 250
