"""Layers measured over the ranges that were seen while the model ran on examples."""

import numpy as np
import pytest
import torch
from torch import nn

import ei_fast as ef

RNG = np.random.default_rng(0)
X = RNG.normal(0.5, 1.5, (40, 4))
W, B, V = RNG.normal(size=(4, 3)), RNG.normal(size=3), RNG.normal(size=(3, 2))
QUICK = {"random_state": 0, "tol": 0.5}


def hull(values):
    return float(np.min(values)), float(np.max(values))


def mlp():
    return [(W, B, "relu"), (V, None, "linear")]


def expected(x=X):
    h = np.maximum(x @ W + B, 0)
    return [(hull(x), hull(h)), (hull(h), hull(h @ V))]


def as_torch():
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2, bias=False)).double()
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor(W.T))
        model[0].bias.copy_(torch.tensor(B))
        model[2].weight.copy_(torch.tensor(V.T))
    return model


MODELS = {
    "arrays": mlp,
    "network": lambda: ef.as_network(mlp()),
    "dict": lambda: {"w0": W, "b0": B, "w1": V},
    "torch": as_torch,
}


@pytest.mark.parametrize("kind", MODELS)
def test_both_ends_of_every_layer_are_those_that_were_seen(kind):
    model = MODELS[kind]()
    activation = {"activation": ["relu", "linear"]} if kind == "dict" else {}
    net = ef.as_network(model, example_inputs=X, **activation)
    np.testing.assert_allclose(net.seen, expected(), rtol=1e-12)
    report = ef.analyze(model, example_inputs=X, in_range="seen", out_range="seen", **activation, **QUICK)
    found = [(layer.in_range, layer.out_range) for layer in report]
    np.testing.assert_allclose(found, expected(), rtol=1e-12)
    # The two ends of a connection agree.
    assert report[0].out_range == report[1].in_range
    # As if they had been given.
    layers = [ef.Layer(W, B, "relu", "layer0", *expected()[0][::-1]), ef.Layer(V, None, "linear", "layer1")]
    given = ef.analyze(ef.Network([layers[0]], expected()[0][0]), **QUICK)
    assert report[0].ei == pytest.approx(given[0].ei, abs=1e-9)
    assert report[0].sensitivity == pytest.approx(given[0].sensitivity, abs=1e-9)


def test_examples_have_any_number_of_rows():
    for rows in (1, 2, 7, 40, 100, 1500):
        x = RNG.normal(size=(rows, 4))
        np.testing.assert_allclose(ef.as_network(as_torch(), example_inputs=x).seen, expected(x), rtol=1e-12)


def test_one_end_alone():
    net = ef.as_network(mlp(), example_inputs=X)
    (first, _), (second, last) = expected()
    inputs = net.ranges("seen")
    assert [one for one, _ in inputs] == [pytest.approx(first), pytest.approx(second)]
    assert inputs[0][1] != pytest.approx(second)
    outputs = net.ranges(out_range="seen")
    assert [one for _, one in outputs] == [pytest.approx(second), pytest.approx(last)]
    # Inputs have the range of the outputs before.
    assert [one for one, _ in outputs] == [(0.0, 1.0), pytest.approx(second)]
    assert net.ranges() == ef.as_network(mlp()).ranges()


def test_figures_are_the_same_with_examples_where_nothing_is_to_be_seen():
    one, other = ef.analyze(mlp(), **QUICK), ef.analyze(mlp(), example_inputs=X, **QUICK)
    assert [layer.figures() for layer in one] == [layer.figures() for layer in other]


def test_a_layer_that_gave_one_number_has_a_range_of_one_around_it():
    net = ef.as_network([(np.zeros((4, 2)), [0.0, 0.0], "relu"), np.eye(2)], example_inputs=X)
    assert net.seen[0][1] == (0.0, 0.0)
    assert net.ranges("seen", "seen")[0][1] == (-0.5, 0.5)
    assert net.ranges("seen", "seen")[1][0] == (-0.5, 0.5)
    [first, _] = ef.analyze(net, in_range="seen", out_range="seen", **QUICK)
    assert (first.ei, first.flags) == (0.0, ("constant",))


def test_without_examples_the_message_says_to_give_them():
    for options in ({"in_range": "seen"}, {"out_range": "seen"}):
        [name] = options
        with pytest.raises(ValueError, match=f"The '{name}' parameter is 'seen'.*Give example_inputs="):
            ef.analyze(mlp(), **options)
        with pytest.raises(ValueError, match=f"The '{name}' parameter is 'seen'"):
            ef.Recorder(ef.EffectiveInformation(**options)).record(mlp())
        with pytest.raises(ValueError, match=f"The '{name}' parameter is 'seen'"):
            ef.bin_sweep(mlp(), bins=(4,), **options)
        with pytest.raises(ValueError, match=f"The '{name}' parameter is 'seen'"):
            ef.sensitivity_matrix(W, **options)


def test_what_is_not_finite_is_not_known():
    bad = X.copy()
    bad[3, 1] = np.nan
    for model in (mlp(), as_torch()):
        net = ef.as_network(model, example_inputs=bad)
        assert net.seen[0] is None
        with pytest.raises(ValueError, match="no finite range was seen of layer 0"):
            net.ranges("seen")


def test_a_scaler_of_a_pipeline_transforms_the_examples():
    from sklearn.neural_network import MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    pipeline = make_pipeline(
        StandardScaler(), MLPRegressor(hidden_layer_sizes=(3,), max_iter=3, random_state=0, tol=1.0)
    )
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipeline.fit(X, X[:, 0])
    x = pipeline[0].transform(X)
    h = np.maximum(x @ pipeline[1].coefs_[0] + pipeline[1].intercepts_[0], 0)
    net = ef.as_network(pipeline, example_inputs=X)
    np.testing.assert_allclose(net.seen[0], (hull(x), hull(h)))
    np.testing.assert_allclose(net.seen[1][1], hull(pipeline.predict(X)))


def test_convolutions_are_seen_as_hooks_see_them():
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, 2, 3), nn.Flatten(), nn.Linear(32, 2))
    model = model.double()
    x = torch.randn(5, 3, 6, 6, dtype=torch.float64)
    net = ef.as_network(model, example_inputs=x)
    with torch.no_grad():
        a = model[1](model[0](x))
        b = model[2](a)
        c = model[4](b.flatten(1))
    for seen, (before, after) in zip(net.seen, ((x, a), (a, b), (b, c)), strict=True):
        # At the border of the first, padding is part of the window: measured is a patch inside.
        inside = after[..., 1:-1, 1:-1] if after is a else after
        np.testing.assert_allclose(seen, (hull(before.numpy()), hull(inside.numpy())), rtol=1e-12)


def test_a_model_that_goes_another_way_on_the_examples_has_no_ranges_seen():
    class Deciding(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 2)

        def forward(self, x):
            return self.b(self.a(x)) if float(x.min()) >= -50 else self.b(x)

    net = ef.as_network(Deciding(), example_inputs=torch.full((3, 4), -100.0), verify=False)
    assert net.seen == ()
    assert [name for name, _ in net.notes] == ["example_inputs"]


@pytest.mark.parametrize("ranges", ["each", "first"])
def test_a_recorder_sees_the_ranges_of_every_record(ranges, tmp_path):
    model = as_torch()
    estimator = ef.EffectiveInformation(in_range="seen", out_range="seen", **QUICK)
    path = tmp_path / "run.npz"
    own = []
    with ef.Recorder(estimator, ranges=ranges, keep_weights=True, path=path, example_inputs=X) as recorder:
        for step in range(3):
            report = recorder.record(model, step=step)
            own.append(ef.as_network(model, example_inputs=X).seen)
            at = own[0] if ranges == "first" else own[step]
            np.testing.assert_allclose([(one.in_range, one.out_range) for one in report], at, rtol=1e-12)
            with torch.no_grad():
                model[0].weight.mul_(1.5)
    trajectory = ef.Trajectory.load(path)
    assert trajectory.provenance["parameters"]["in_range"] == "seen"
    again = trajectory.remeasure(ranges="all")
    assert again.ranges == "all"
    # Those of all records together.
    hulls = np.array(own)
    wide = np.stack([hulls[..., 0].min(axis=0), hulls[..., 1].max(axis=0)], axis=-1)
    np.testing.assert_allclose(again.provenance["ranges"], wide, rtol=1e-12)
    assert trajectory.remeasure().to_frame()["ei"].tolist() == trajectory.to_frame()["ei"].tolist()


def test_rows_and_files_of_a_report_have_them(tmp_path):
    report = ef.analyze(mlp(), example_inputs=X, in_range="seen", out_range="seen", **QUICK)
    row = report.rows()[0]
    np.testing.assert_allclose((row["in_range_low"], row["in_range_high"]), hull(X))
    assert report.provenance["parameters"]["out_range"] == "seen"
    report.save(tmp_path / "report.npz")
    assert ef.Report.load(tmp_path / "report.npz")[0].in_range == report[0].in_range


def test_other_forms_of_the_same_network_keep_them():
    net = ef.as_network(mlp(), example_inputs=X, names=["a", "b"])
    assert net.seen == net.noted([("a", "is noted")]).seen == net.over((-1.0, 1.0)).seen
    np.testing.assert_allclose(net.seen, expected())
    frame = ef.bin_sweep(net, bins=(4, 8), in_range="seen", out_range="seen", **QUICK)
    assert len(frame) == 4
    edges = ef.sensitivity_matrix(W, example_inputs=X, in_range="seen")
    assert edges.shape == (4, 3)


def test_the_command_takes_a_file_of_examples(tmp_path):
    from click.testing import CliRunner

    from ei_fast.cli import main

    np.savez(tmp_path / "net.npz", w0=W, b0=B, w1=V)
    np.save(tmp_path / "x.npy", X)
    typed = ["analyze", str(tmp_path / "net.npz"), "--activation", "relu,linear", "--tol", "0.5"]
    out = str(tmp_path / "report.csv")
    done = CliRunner().invoke(
        main, [*typed, "--ranges", "seen", "--example-inputs", str(tmp_path / "x.npy"), "--out", out]
    )
    assert done.exit_code == 0, done.output
    first = ef.analyze(mlp(), example_inputs=X, out_range="seen", **QUICK)[0]
    assert f"{first.out_range[1]}" in (tmp_path / "report.csv").read_text(encoding="utf-8")
    refused = CliRunner().invoke(main, [*typed, "--ranges", "seen"])
    assert refused.exit_code == 1
    assert "--example-inputs" in refused.output
