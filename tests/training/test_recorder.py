"""The recorder: what is measured, what is frozen, what is refused."""

import numpy as np
import pytest
from numba.core import event

import ei_fast as ef
import ei_fast.adapters.runs


def test_each_record_equals_a_report_of_its_own(recorder, random_weight):
    layers = [ef.Layer(random_weight(4, 3, scale, seed=1), activation="relu") for scale in (1.0, 4.0)]
    for layer in layers:
        record, report = recorder.record(layer)[0], ef.analyze(layer, random_state=0)[0]
        assert (record.ei, record.sensitivity, record.out_range) == (report.ei, report.sensitivity, report.out_range)
    assert recorder.trajectory_.ranges == "each"
    assert set(recorder.trajectory_.to_frame()["ranges"]) == {"each"}
    assert "those of this record" in str(recorder.report_)


def test_a_record_equals_a_report_over_the_frozen_ranges(random_weight):
    recorder = ef.Recorder(ef.EffectiveInformation(random_state=0), ranges="first")
    first, second = random_weight(4, 3, 1.0, 1), random_weight(4, 3, 1.0, 2) * 3
    recorder.record(ef.Layer(first, activation="relu"))
    later = recorder.record(ef.Layer(second, activation="relu"))[0]
    frozen = ef.analyze(ef.Layer(first, activation="relu"), random_state=0)[0].out_range
    expected = ef.analyze(ef.Layer(second, activation="relu"), random_state=0, out_range=frozen)[0]
    assert later.out_range == frozen
    assert (later.ei, later.sensitivity) == (expected.ei, expected.sensitivity)


def test_a_module_is_compared_at_the_first_record_and_read_at_each(monkeypatch, tmp_path):
    torch = pytest.importorskip("torch")

    compared = []
    real = ei_fast.adapters.runs.verify
    monkeypatch.setattr("ei_fast.adapters.runs.verify", lambda *args: compared.append(real(*args)))
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Tanh(), torch.nn.Linear(2, 2), torch.nn.Sigmoid())
    for steps in (range(2), range(2, 4)):
        with ef.Recorder(ef.EffectiveInformation(random_state=0), path=tmp_path / "run.npz") as recorder:
            for step in steps:
                with torch.no_grad():
                    model[0].weight.mul_(2.0)
                report = recorder.record(model, step=step)
                expected = ef.analyze(ef.as_network(model, verify=False), random_state=0)
                assert [layer.ei for layer in report] == [layer.ei for layer in expected]
    # Once in each of both recordings: inside the range of the inputs, and beyond it.
    assert len(compared) == 4


def test_the_seed_is_drawn_once(random_weight):
    recorder = ef.Recorder(ef.EffectiveInformation())
    weight = random_weight(6, 3, 3.0)
    assert recorder.record(weight)[0].ei == recorder.record(weight)[0].ei


def test_a_metric_cannot_have_the_name_of_bounds(recorder):
    with pytest.raises(ValueError, match="must not have the name of a column"):
        recorder.record(np.eye(2), ei_bounds_low=1.0)


def test_an_empty_recorder_has_an_empty_trajectory(recorder):
    assert len(recorder.trajectory_) == 0


def test_other_layers_than_before_are_refused(recorder):
    recorder.record([np.eye(2)])
    with pytest.raises(ValueError, match=r"the first record of Recorder is .*2 -> 2.* Got .*3 -> 3.*another Recorder"):
        recorder.record([np.eye(3)])
    assert len(recorder.trajectory_) == 1


def test_steps_increase(recorder):
    recorder.record(np.eye(2), step=7)
    recorder.record(np.eye(2))
    assert recorder.trajectory_.steps.tolist() == [7, 8]
    with pytest.raises(ValueError, match="integer above the last one, 8. Got 8"):
        recorder.record(np.eye(2), step=8)
    with pytest.raises(TypeError, match=r"'step' parameter of Recorder.record must be an integer.* Got 9.0"):
        recorder.record(np.eye(2), step=9.0)


def test_bad_metrics_and_settings_are_refused_before_any_work(recorder):
    with pytest.raises(TypeError, match="metric 'loss' of Recorder.record must be a number"):
        recorder.record(np.eye(2), loss="low")
    assert len(recorder.trajectory_) == 0
    with pytest.raises(ValueError, match="'tol' parameter"):
        ef.Recorder(ef.EffectiveInformation(tol=-1))
    with pytest.raises(TypeError, match="must be an EffectiveInformation"):
        ef.Recorder(8)


def test_a_network_that_outgrows_the_numbers_is_refused(recorder):
    recorder.record(ef.Layer(np.eye(2), activation="relu"))
    with pytest.raises(ValueError, match="overflow"):
        recorder.record(ef.Layer(np.full((2, 2), 1.7e308), activation="relu"))


def test_only_every_so_manyth_step_is_measured(random_weight):
    recorder = ef.Recorder(ef.EffectiveInformation(random_state=0), every=3)
    reports = [recorder.record(random_weight(2, 2)) for _ in range(8)]
    assert [report is not None for report in reports] == [True, False, False, True, False, False, True, False]
    assert recorder.record(random_weight(2, 2), step=20) is None
    assert recorder.trajectory_.steps.tolist() == [0, 3, 6]


def test_a_time_budget_leaves_records_out_and_says_so(random_weight, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("ei_fast.training.budget.time.monotonic", lambda: clock[0])
    real = ef.EffectiveInformation.measure

    def takes_a_second(*args):
        clock[0] += 1.0
        return real(*args)

    monkeypatch.setattr(ef.EffectiveInformation, "measure", takes_a_second)
    recorder = ef.Recorder(ef.EffectiveInformation(random_state=0), time_budget=0.1)
    for _ in range(100):
        recorder.record(random_weight(2, 2))
        clock[0] += 1.0
    # A tenth of the time; the first one is taken whenever it comes.
    taken = len(recorder.trajectory_)
    assert 8 <= taken <= 12
    with pytest.warns(UserWarning, match=f"{100 - taken} records were left out to stay within time_budget=0.1"):
        recorder.close()


def test_compiling_is_not_held_against_the_budget_and_loading_is(random_weight, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("ei_fast.training.budget.time.monotonic", lambda: clock[0])
    monkeypatch.setattr("numba.core.event.timer", lambda: clock[0])
    real = ef.EffectiveInformation.measure
    begins = [20.0, 3.0, 1.0]

    def prepares_and_measures(*args):
        # Compiles, loads and measures; afterwards it only measures.
        compiling, loading, measuring = begins if not recorder.trajectory_ else (0.0, 0.0, 1.0)
        with event.trigger_event("numba:compiler_lock"):
            with event.trigger_event("numba:compile"):
                clock[0] += compiling
            clock[0] += loading
        clock[0] += measuring
        return real(*args)

    monkeypatch.setattr(ef.EffectiveInformation, "measure", prepares_and_measures)
    recorder = ef.Recorder(ef.EffectiveInformation(random_state=0), time_budget=0.1)
    started = None
    for _ in range(120):
        recorder.record(random_weight(2, 2))
        started = clock[0] - 4.0 if started is None else started
        clock[0] += 1.0
    # Four seconds for the first one and one second for each of the others: the second comes when five are a tenth.
    assert recorder.trajectory_.steps[1] in (45, 46, 47)
    spent = 4.0 + len(recorder.trajectory_) - 1
    assert spent <= 0.1 * (clock[0] - started)
    with pytest.warns(UserWarning, match="left out"):
        recorder.close()


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"every": 0}, ValueError, "'every' parameter of Recorder must be an integer >= 1. Got 0"),
        ({"every": 1.5}, TypeError, "'every' parameter"),
        ({"time_budget": 1}, ValueError, "'time_budget' parameter of Recorder must be None or a number above 0"),
        ({"time_budget": "5%"}, TypeError, "'time_budget' parameter"),
        ({"path": "run.csv"}, ValueError, "must end in .npz"),
    ],
)
def test_bad_recorders(params, error, message):
    with pytest.raises(error, match=message):
        ef.Recorder(ef.EffectiveInformation(), **params)
