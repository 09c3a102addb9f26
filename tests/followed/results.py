"""Remedies of reports and of files that keep figures, followed."""

import numpy as np

import ei_fast as ef
from followed import follows, literal

QUICK = {"random_state": 0, "tol": 0.5}


@follows("which is no folder. Make it first.")
def _(said):
    folder = said.folder / "new"
    said.refused(ef.analyze, np.eye(2), matrices=folder)
    folder.mkdir()
    ef.analyze(np.eye(2), matrices=folder, **QUICK)


@follows("would have one file, {}. Rename one of them.")
def _(said):
    layers = [ef.Layer(np.eye(2), name="a/b"), ef.Layer(np.eye(2), name="a:b")]
    said.refused(ef.analyze, layers, matrices=said.folder)
    ef.analyze([layers[0], ef.Layer(np.eye(2), name="c")], matrices=said.folder, **QUICK)


@follows("which holds {} already. Remove it, or give another folder.")
def _(said):
    ef.analyze(np.eye(2), matrices=said.folder, **QUICK)
    for _ in range(2):
        message = said.refused(ef.analyze, np.eye(2), matrices=said.folder)
        (said.folder / literal(message, "which holds ")).unlink()
    ef.analyze(np.eye(2), matrices=said.folder, **QUICK)
    other = said.folder / "other"
    other.mkdir()
    ef.analyze(np.eye(2), matrices=other, **QUICK)


@follows("cannot be read as .npz: it is damaged or of another kind ({}). Write it again.")
def _(said):
    path = said.npz("net.npz", w0=np.eye(2))
    whole = path.read_bytes()
    path.write_bytes(whole[:50])
    said.refused(ef.analyze, path)
    np.savez(path, w0=np.eye(2))
    ef.analyze(path, **QUICK)


@follows("Its entry number {} is a Python object, which could run code. Save numeric arrays with numpy.savez.")
def _(said):
    path = said.npz("net.npz", w0=np.array([[1, None]], dtype=object))
    said.refused(ef.analyze, path)
    np.savez(path, w0=np.eye(2))
    ef.analyze(path, **QUICK)


@follows("must be an .npz file with {}. Write one with numpy.savez.")
def _(said):
    from ei_fast.runtime.files import read_npz

    said.refused(read_npz, said.folder / "net.txt")
    assert list(read_npz(said.npz("net.npz", w0=np.eye(2)))) == ["w0"]


@follows("The file {} is not a {}. Give one that {}.save wrote.")
def _(said):
    path = said.npz("net.npz", w0=np.eye(2))
    message = said.refused(ef.Trajectory.load, path)
    assert "Trajectory.save" in message
    recorder = ef.Recorder(ef.EffectiveInformation(**QUICK))
    report = recorder.record(np.eye(2))
    recorder.trajectory_.save(path)
    ef.Trajectory.load(path)
    assert "Report.save" in said.refused(ef.Report.load, path)
    report.save(path)
    ef.Report.load(path)


@follows("Use 1 for no threads, -1 for all cores.")
def _(said):
    said.refused(ef.analyze, np.eye(2), n_jobs=0)
    for n_jobs in (1, -1):
        ef.analyze(np.eye(2), n_jobs=n_jobs, **QUICK)


@follows("some of whose entries are missing. Fill them in.")
def _(said):
    weight = np.ma.masked_array(np.eye(2), mask=np.eye(2) > 0)
    said.refused(ef.analyze, weight)
    ef.analyze(weight.filled(0.5), **QUICK)


@follows("The file {} is a damaged report: {}. Save it again.")
def _(said):
    path = said.folder / "report.npz"
    report = ef.analyze(np.eye(2), **QUICK)
    report.save(path)
    with np.load(path) as stored:
        arrays = dict(stored)
    np.savez(path, **{name: array for name, array in arrays.items() if name in ("kind", "format")})
    said.refused(ef.Report.load, path)
    report.save(path)
    ef.Report.load(path)


@follows("--explain and --verbose are for reading. Got them with --format {}. Leave them out.")
def _(said):
    path = said.npz("net.npz", w0=np.eye(2))
    typed = ["analyze", path, "--format", "csv", "--explain"]
    assert "Leave them out" in said.typed(*typed, code=1)
    assert said.typed(*typed[:-1]).startswith("name,")
