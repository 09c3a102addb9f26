"""Remedies of figures, pages and the command, followed."""

import shlex

import keras
import matplotlib.pyplot as plt
import numpy as np
from filelock import FileLock
from matplotlib.figure import Figure

import ei_fast as ef
from ei_fast.claims.verdicts import verdicts_of
from ei_fast.cli.reading import network_in
from ei_fast.demo import given, page, pages
from followed import follows, literal
from followed.trainings import _estimator, _recorded

QUICK = {"random_state": 0, "tol": 0.5}


@follows("Got one that was made with pairwise='none'. Measure again with pairwise='auto'.")
def _(said):
    message = said.refused(ef.plot_edges, ef.analyze(np.eye(2), pairwise="none", **QUICK))
    ef.plot_edges(ef.analyze(np.eye(2), pairwise=literal(message, "Measure again with pairwise="), **QUICK))
    plt.close("all")


@follows("Give n_in · n_out of every layer, or per='layer'.")
def _(said):
    ones = np.ones((1, 1))
    said.refused(ef.CausalPlaneDisplay, ones, ones, ["a"], per="edge")
    ef.CausalPlaneDisplay(ones, ones, ["a"], per="edge", edges=[4])
    ef.CausalPlaneDisplay(ones, ones, ["a"], per="layer")


@follows("There is no step to draw: the trajectory is empty. Record at least one.")
def _(said):
    said.refused(lambda: ef.CausalPlaneDisplay.from_trajectory(ef.Trajectory.empty(["a"])).plot())
    ef.CausalPlaneDisplay.from_trajectory(_recorded(n_records=1)).plot()
    plt.close("all")


@follows("Record it with a Recorder, or put (name, n_in, n_out) of every layer into its provenance['layers'].")
def _(said):
    trajectory = _recorded()
    layers, trajectory.provenance = trajectory.provenance["layers"], {}
    said.refused(ef.CausalPlaneDisplay.from_trajectory, trajectory, per="edge")
    trajectory.provenance["layers"] = [layer[:3] for layer in layers]
    ef.CausalPlaneDisplay.from_trajectory(trajectory, per="edge")
    ef.CausalPlaneDisplay.from_trajectory(_recorded(), per="edge")


@follows("Judge each network by itself.")
def _(said):
    one, other = _recorded(n_records=4), ef.Recorder(_estimator())
    for step in range(4):
        other.record(np.eye(3), step=step)
    said.refused(verdicts_of, [one, other.trajectory_])
    for trajectory in (one, other.trajectory_):
        verdicts_of([trajectory])


@follows("The file {} holds no step. Record at least one, or leave the file out.")
def _(said):
    empty, run = said.folder / "empty.npz", said.folder / "run.npz"
    ef.Trajectory.empty().save(empty)
    _recorded(run)
    said.refused(given.read_runs, [empty, run])
    assert list(given.read_runs([run])) == ["run"]
    empty.unlink()
    _recorded(empty)
    assert len(given.read_runs([empty, run])) == 2


@follows("are not all different. Give each of them once.")
def _(said):
    run = said.folder / "run.npz"
    _recorded(run)
    said.refused(given.read_runs, [run, run])
    given.read_runs([run])


@follows("which have the same {} at the same steps. Leave one out.")
def _(said):
    one, other = _recorded(), _recorded()
    said.refused(given.given_chapters, {"a": one, "b": other}, ())
    given.given_chapters({"a": one}, ())


@follows("must hold one run at least. Got none. Record one with Recorder.")
def _(said):
    said.refused(page, said.folder / "page", {})
    assert pages._checked_runs({"run": _recorded()})


@follows("and runs that are trained already. Leave them out.")
def _(said):
    said.refused(page, said.folder / "page", {"run": _recorded()}, quick=True)
    pages._check_options(is_given=True, quick=False, seed=0, counting=True)


@follows("The folder {} holds another page. Give another folder.")
def _(said):
    (said.folder / "index.html").write_text("")
    said.refused(page, said.folder, {"run": _recorded()})
    pages._check_folder(said.folder / "other", {})


@follows("as {} says. Give another folder, or remove this one.")
def _(said):
    folder = said.folder / "page"
    folder.mkdir()
    (folder / pages._HOW).write_text('{"ei_fast": "0.0", "quick": true}')
    said.refused(page, folder, {"run": _recorded()})
    how = {"ei_fast": "1"}
    pages._check_folder(said.folder / "other", how)
    (folder / pages._HOW).unlink()
    folder.rmdir()
    pages._check_folder(folder, how)


@follows("is in use: another process makes a page in it. Wait for it, or give another folder.")
def _(said):
    lock = FileLock(said.folder / ".lock")
    with lock:
        said.refused(page, said.folder, {"run": _recorded()})
        other = said.folder / "other"
        other.mkdir()
        with pages._alone(other):
            pass
    with pages._alone(said.folder):
        pass


@follows("its layers are measured already. Draw it with ei-fast plot {} {}.png, or with ei-fast animate {} {}.gif.")
def _(said):
    said.monkeypatch.chdir(said.folder)
    _recorded(said.folder / "run.npz")
    message = said.typed("analyze", "run.npz", code=1)
    first, second = message.split("Draw it with ei-fast ")[1].split(", or with ei-fast ")
    for typed in (first, second.strip().rstrip(".")):
        assert "wrote" in said.typed(*shlex.split(typed))


@follows("Print it in Python with print(ei_fast.Report.load(path)), and draw it with")
def _(said):
    path = said.folder / "report.npz"
    ef.analyze(np.eye(2), **QUICK).save(path)
    message = said.typed("analyze", path, code=1)
    names = {"ei_fast": ef, "path": path, "report": ef.Report.load(path)}
    for code in ("print(ei_fast.Report.load(path))", "ei_fast.plot_edges(report)"):
        assert code in message
        exec(code, names)
    exec("ei_fast.CausalPlaneDisplay.from_report(report).plot()", names)
    plt.close("all")


@follows("Draw it in Python with ei_fast.CausalPlaneDisplay.from_report(ei_fast.Report.load(path)).plot().")
def _(said):
    path = said.folder / "report.npz"
    ef.analyze(np.eye(2), **QUICK).save(path)
    message = said.typed("plot", path, said.folder / "plane.png", code=1)
    code = message.split("Draw it in Python with ")[1].strip().rstrip(".")
    exec(code, {"ei_fast": ef, "path": path})
    plt.close("all")


@follows("The file {} holds weights, and no trajectory. Measure them with ei-fast analyze {};")
def _(said):
    said.monkeypatch.chdir(said.folder)
    said.npz("net.npz", w0=np.eye(2))
    message = said.typed("plot", "net.npz", "plane.png", code=1)
    typed = message.split("Measure them with ei-fast ")[1].split(";")[0]
    assert "layer0" in said.typed(*shlex.split(typed))


@follows(
    "The option --example-inputs must be a .npy file of one array (rows, ...). Got {}: {}. Write one with numpy.save."
)
def _(said):
    path = said.npz("batch.npz", x=np.zeros((2, 2)))
    said.npz("net.npz", w0=np.eye(2))
    said.typed("describe", said.folder / "net.npz", "--example-inputs", path, code=1)
    np.save(said.folder / "batch.npy", np.zeros((2, 2)))
    done = said.typed("describe", said.folder / "net.npz", "--example-inputs", said.folder / "batch.npy")
    assert "dense  2 -> 2" in done


@follows("Got False, and no runs. Leave it out, or give runs.")
def _(said):
    said.refused(page, said.folder / "page", counting=False)
    for given_runs, counting in ((False, True), (True, False)):
        pages._check_options(is_given=given_runs, quick=False, seed=0, counting=counting)


@follows(
    "The model in {} cannot be run ({}: {}). Give input_shape=, the shape of one sample, where it takes another, or"
)
def _(said):
    path = said.folder / "net.keras"
    convolutions = [keras.layers.Conv2D(2, 3, activation="tanh", name="first"), keras.layers.Conv2D(2, 3)]
    keras.Sequential([keras.Input((None, None, 3)), *convolutions]).save(path)
    # The second convolution would see one pixel.
    said.refused(network_in, path, "sigmoid", None, {"input_shape": (3, 3, 3)})
    message = said.typed("describe", path, "--input-shape", "3,3,3", code=1)
    assert "Give --input-shape, the shape of one sample" in message
    assert "Traceback" not in message
    assert "first" in said.typed("describe", path, "--input-shape", "8,8,3")


@follows(
    "Give one of them, like axes[{}]", "Give axes of it, like figure.subplots()", "Give what figure.subplots() makes"
)
def _(said):
    trajectory = _recorded()
    for axes in (Figure().subplots(2, 2), list(Figure().subplots(1, 2))):
        message = said.refused(ef.plot_measures, trajectory, ax=axes)
        ef.plot_measures(trajectory, ax=eval(message.split(", like ")[1].rstrip("."), {"axes": axes}))
    figure = Figure()
    message = said.refused(ef.plot_measures, trajectory, ax=figure)
    ef.plot_measures(trajectory, ax=eval(message.split(", like ")[1].rstrip("."), {"figure": figure}))
    said.refused(ef.plot_measures, trajectory, ax="left")
    ef.plot_measures(trajectory, ax=Figure().subplots())
    ef.plot_measures(trajectory)
    plt.close("all")


@follows("Got axes that were placed by hand. Give axes of figure.subplots(), or nothing.")
def _(said):
    trajectory, figure = _recorded(), Figure()
    said.refused(ef.plot_measures, trajectory, ax=figure.add_axes((0.1, 0.1, 0.5, 0.5)))
    ef.plot_measures(trajectory, ax=figure.subplots())
    ef.plot_measures(trajectory)
    plt.close("all")


@follows("set IMAGEIO_FFMPEG_EXE to one that runs or unset it; or write a .gif or .html, which need none.")
def _(said):
    import imageio_ffmpeg

    runs, trajectory = imageio_ffmpeg.get_ffmpeg_exe(), _recorded()
    said.monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(said.folder / "nowhere"))
    said.refused(ef.animate_causal_plane, trajectory, said.folder / "plane.mp4")
    for name in ("plane.gif", "plane.html"):
        ef.animate_causal_plane(trajectory, said.folder / name)
    said.monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", runs)
    ef.animate_causal_plane(trajectory, said.folder / "plane.mp4")
    said.monkeypatch.delenv("IMAGEIO_FFMPEG_EXE")
    ef.animate_causal_plane(trajectory, said.folder / "unset.mp4")
