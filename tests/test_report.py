"""A report as a table, in a notebook, as a frame, and in a file."""

import dataclasses
import sys

import numpy as np
import pytest

import ei_fast as ef
import ei_fast.measures.layer


@pytest.fixture
def report(random_weight):
    layers = [
        ef.Layer(random_weight(3, 2, 4.0), name="<fc1>"),
        ef.Layer(np.zeros((2, 2)), activation=ef.Activation("leaky_relu", negative_slope=0.5), name="fc2"),
        ef.Layer([[1.0], [1.0]], [9.0], "linear", name="fc3", out_range=(0.0, 1.0)),
    ]
    net = ef.Network(layers)
    net.skipped = [("scaler", "comes <before> the network")]
    # The last layer keeps nothing: its figures are NaN.
    params = {"activation": ef.Activation("tanh"), "random_state": np.random.default_rng(0), "out_of_range": "drop"}
    return ef.analyze(net, **params)


def _assert_same(one, other):
    for field in dataclasses.fields(one):
        mine, yours = getattr(one, field.name), getattr(other, field.name)
        if isinstance(mine, np.ndarray):
            np.testing.assert_array_equal(mine, yours)
            assert mine.dtype == yours.dtype
        else:
            # NaN is what it was, too.
            assert repr(mine) == repr(yours)


def test_save_and_load_bit_for_bit(report, tmp_path):
    report.save(tmp_path / "report.npz")
    loaded = ef.Report.load(tmp_path / "report.npz")
    assert len(loaded) == 3
    for mine, yours in zip(report, loaded, strict=True):
        _assert_same(mine, yours)
    assert loaded.skipped == report.skipped
    assert loaded.provenance == report.provenance
    assert str(loaded) == str(report)
    assert [layer.explain() for layer in loaded] == [layer.explain() for layer in report]
    assert [path.name for path in tmp_path.iterdir()] == ["report.npz"]


def test_the_convention_of_older_files_is_read(report, tmp_path):
    provenance = dict(report.provenance)
    assert "ranges" not in provenance
    old = {key: value for key, value in provenance.items() if key != "convention"} | {"ranges": "first"}
    ef.Report(report, report.skipped, old).save(tmp_path / "old.npz")
    loaded = ef.Report.load(tmp_path / "old.npz")
    assert loaded.provenance == provenance | {"convention": "first"}
    assert "ranges of unbounded outputs: those of the first record" in str(loaded)


def test_provenance_says_how_to_do_it_again(report):
    provenance = report.provenance
    assert provenance["ei_fast"] == ef.__version__
    assert provenance["libraries"] == {"numpy": np.__version__, "numba": sys.modules["numba"].__version__}
    assert provenance["parameters"]["out_of_range"] == "drop"
    assert provenance["parameters"]["activation"] == "Activation('tanh')"
    assert provenance["seconds"] > 0
    assert isinstance(provenance["seed"], int)


def test_files_that_are_no_reports(report, tmp_path):
    with pytest.raises(ValueError, match=r"path of a report must end in \.npz. Got .*report.txt"):
        report.save(tmp_path / "report.txt")
    np.savez(tmp_path / "other.npz", w0=np.eye(2))
    with pytest.raises(ValueError, match="is not a report. Give one that Report.save wrote"):
        ef.Report.load(tmp_path / "other.npz")
    np.savez(tmp_path / "newer.npz", kind="report", format=3, layers="[]")
    with pytest.raises(ValueError, match="written by a newer version of ei_fast"):
        ef.Report.load(tmp_path / "newer.npz")
    for layers in ("[{}]", "{", "3", '[{"name": 1}]'):
        np.savez(tmp_path / "damaged.npz", kind="report", format=2, layers=layers, skipped="[]", provenance="{}")
        with pytest.raises(ValueError, match="is a damaged report"):
            ef.Report.load(tmp_path / "damaged.npz")
    with pytest.raises(FileNotFoundError):
        ef.Report.load(tmp_path / "missing.npz")


def test_a_file_is_there_as_a_whole_or_not_at_all(report, tmp_path, monkeypatch):
    report.save(tmp_path / "report.npz")
    before = (tmp_path / "report.npz").read_bytes()
    monkeypatch.setattr("ei_fast.runtime.files.os.fsync", lambda handle: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        report.save(tmp_path / "report.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["report.npz"]
    assert (tmp_path / "report.npz").read_bytes() == before


def test_a_frame(report):
    frame = report.to_frame()
    assert frame["name"].tolist() == ["<fc1>", "fc2", "fc3"]
    assert frame["ei"][0] == report[0].ei
    assert (frame["ei_interval_low"][0], frame["ei_interval_high"][0]) == report[0].ei_interval
    assert (frame["ei_bounds_low"][0], frame["ei_bounds_high"][0]) == report[0].ei_bounds
    assert (frame["in_range_low"][2], frame["in_range_high"][2]) == report[2].in_range
    assert frame["flags"].tolist() == ["", "constant", "nothing kept"]
    assert not [name for name in frame if name.endswith("matrix")]


def test_bounds_rest_on_the_joint_ei(random_weight, monkeypatch):
    """Where a method knows EI better than its bounds do, the report keeps both apart."""
    measured = ei_fast.measures.layer.joint_ei

    def with_bounds(*args):
        joint = yield from measured(*args)
        return dataclasses.replace(joint, bounds=(joint.low - 0.5, joint.high + 0.25))

    monkeypatch.setattr("ei_fast.measures.layer.joint_ei", with_bounds)
    monkeypatch.setattr("ei_fast.functions.single_layer.joint_ei", with_bounds)
    weight = random_weight(3, 2, 4.0)
    report = ef.analyze(weight, random_state=0)
    low, high = report[0].ei_interval
    assert report[0].ei_bounds == (low - 0.5, high + 0.25)
    row = report.rows()[0]
    assert (row["ei_interval_low"], row["ei_interval_high"]) == (low, high)
    assert (row["ei_bounds_low"], row["ei_bounds_high"]) == (low - 0.5, high + 0.25)
    group = ef.effective_information(weight, random_state=0)
    assert (group.interval, group.bounds) == ((low, high), (low - 0.5, high + 0.25))


def test_bounds_of_what_is_exact_estimated_bracketed_and_undefined(report, random_weight):
    exact = ef.analyze([np.eye(2)], activation="linear", bins=4)[0]
    assert exact.ei_bounds == (exact.ei, exact.ei)
    assert report[0].ei_bounds == report[0].ei_interval
    bracket = ef.analyze(random_weight(12, 40, 1.0), tol=1.0, random_state=0, pairwise="none", joint="conditional")[0]
    assert "undersampled" in bracket.flags
    assert bracket.ei_bounds == bracket.ei_interval
    assert np.isnan(report[2].ei_bounds).all()


def test_without_pandas_the_remedy_is_named(report, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    for call in (report.to_frame, lambda: ef.bin_sweep(np.eye(2))):
        with pytest.raises(ImportError, match=r'needs pandas: pip install "ei_fast\[pandas\]"'):
            call()


def test_a_notebook_shows_the_table(report):
    html = report._repr_html_()
    assert html.count("<tr>") == 4
    assert "&lt;fc1&gt;" in html
    assert "<fc1>" not in html
    assert f"{report[0].ei:.3f}" in html
    assert '<abbr title="No output leaves its bin' in html
    assert "comes &lt;before&gt; the network" in html


def test_scalars_are_what_was_measured(random_weight):
    report = ef.analyze([random_weight(4, 3, 5.0), random_weight(3, 2, 5.0)], tol=0.1, random_state=0)
    scalars = report.scalars("causal")
    measures = ("ei", "sensitivity", "degeneracy", "ei_parts", "phi_ff")
    expected = {f"causal/{layer.name}/{name}": getattr(layer, name) for layer in report for name in measures}
    assert scalars == expected
    assert all(type(value) is float for value in scalars.values())
    alone = ef.analyze([random_weight(4, 3, 5.0)], tol=0.1, pairwise="none").scalars()
    assert list(alone) == ["ei_fast/layer0/ei"]
