"""Recording inside the trainer of transformers."""

import random
import re
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainerCallback, TrainingArguments

import ei_fast as ef
from ei_fast.callbacks.transformers import RecorderCallback

DATA = [
    {"x": x, "labels": x.sum(0, keepdim=True)} for x in torch.rand(20, 3, generator=torch.Generator().manual_seed(0))
]


@pytest.fixture(autouse=True)
def _what_torch_and_transformers_say_to_each_other():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*pin_memory.*")
        yield


class Model(nn.Module):
    """Two dense layers that learn the sum of three numbers."""

    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.net = nn.Sequential(nn.Linear(3, 2), nn.Tanh(), nn.Linear(2, 1))

    def forward(self, x, labels=None):
        y = self.net(x)
        return {"logits": y} if labels is None else {"loss": ((y - labels) ** 2).mean(), "logits": y}


def estimator_of(**params):
    return ef.EffectiveInformation(random_state=0, bins=4, **params)


def trainer_of(callbacks, epochs, folder, model=None, data=DATA, **options):
    options = {"logging_strategy": "epoch", "eval_strategy": "epoch", "save_strategy": "no"} | options
    arguments = TrainingArguments(
        str(folder),
        num_train_epochs=epochs,
        per_device_train_batch_size=10,
        use_cpu=True,
        learning_rate=0.1,
        lr_scheduler_type="constant",
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=False,
        **options,
    )
    callbacks = callbacks if isinstance(callbacks, list) else [callbacks]
    return Trainer(Model() if model is None else model, arguments, train_dataset=data, eval_dataset=data,
                   callbacks=callbacks)  # fmt: skip


class Keeps(TrainerCallback):
    """The weights of the first layer at the end of every epoch."""

    def __init__(self):
        self.weights = []

    def on_epoch_end(self, args, state, control, model=None, **kwargs):
        self.weights.append(model.net[0].weight.detach().double().numpy().T.copy())


class Stops(TrainerCallback):
    """Breaks training off at a step."""

    def __init__(self, step):
        self.step = step

    def on_step_begin(self, args, state, control, **kwargs):
        if state.global_step == self.step:
            raise RuntimeError("enough")


def test_every_due_epoch_is_recorded_with_what_was_logged(tmp_path):
    callback, keeps = RecorderCallback(estimator_of(), every=2, keep_weights=True), Keeps()
    trainer = trainer_of([callback, keeps], 5, tmp_path)
    trainer.train()
    trajectory = callback.recorder.trajectory_
    assert trajectory.steps.tolist() == [0, 2, 4]
    assert trajectory.layers == ("net.0", "net.2")
    logged = trainer.state.log_history
    for name in ("loss", "eval_loss"):
        by_epoch = {entry["epoch"]: entry[name] for entry in logged if name in entry}
        assert trajectory.metrics[name].tolist() == [by_epoch[epoch + 1.0] for epoch in (0, 2, 4)]
    assert not [name for name in trajectory.metrics if name in ("epoch", "step") or "second" in name or "time" in name]
    for k, epoch in enumerate((0, 2, 4)):
        np.testing.assert_array_equal(trajectory.networks[k][0].weight, keeps.weights[epoch])
    last = ef.analyze(trainer.model, bins=4, random_state=0)
    assert trajectory.ei[-1].tolist() == [layer.ei for layer in last]
    told = [entry for entry in logged if "ei/net.0" in entry]
    assert [entry["epoch"] for entry in told] == [1.0, 3.0, 5.0]
    for measure in ("ei", "sensitivity", "degeneracy", "ei_parts", "phi_ff"):
        for layer in last:
            assert told[-1][f"{measure}/{layer.name}"] == getattr(layer, measure)


@pytest.mark.parametrize(
    ("options", "metrics"),
    [
        ({"logging_strategy": "no", "eval_strategy": "no"}, ()),
        ({"logging_strategy": "no"}, ("eval_loss",)),
        ({"eval_strategy": "no"}, ("loss",)),
        ({"logging_strategy": "steps", "logging_steps": 2, "eval_strategy": "no"}, ("loss",)),
        ({"logging_strategy": "steps", "logging_steps": 1, "eval_strategy": "steps", "eval_steps": 2},
         ("loss", "eval_loss")),
        ({"save_strategy": "epoch", "load_best_model_at_end": True}, ("loss", "eval_loss")),
        ({"save_strategy": "epoch", "eval_strategy": "no", "logging_strategy": "no"}, ()),
        ({"bf16": True}, ("loss", "eval_loss")),
        ({"gradient_accumulation_steps": 2}, ("loss", "eval_loss")),
    ],
)  # fmt: skip
def test_other_ways_to_train(tmp_path, options, metrics):
    """Each epoch has the weights that it ended with, whatever is logged, saved or loaded after it."""
    callback, keeps = RecorderCallback(estimator_of(), keep_weights=True), Keeps()
    # It grows worse, so that the best model is not the last.
    worse = [{"x": one["x"], "labels": -one["labels"]} for one in DATA] if "load_best_model_at_end" in options else DATA
    trainer = trainer_of([callback, keeps], 3, tmp_path, **options)
    trainer.eval_dataset = worse
    trainer.train()
    trajectory = callback.recorder.trajectory_
    assert trajectory.steps.tolist() == [0, 1, 2]
    assert {name for name in trajectory.metrics if "loss" in name} == set(metrics)
    assert all(np.isfinite(trajectory.metrics[name]).all() for name in metrics)
    for network, weight in zip(trajectory.networks, keeps.weights, strict=True):
        np.testing.assert_array_equal(network[0].weight, weight)
    if "load_best_model_at_end" in options:
        assert not np.array_equal(trainer.model.net[0].weight.detach().double().numpy().T, keeps.weights[-1])


def test_an_epoch_that_is_cut_short_is_one(tmp_path):
    callback = RecorderCallback(estimator_of())
    trainer_of(callback, 1, tmp_path, max_steps=5).train()
    assert callback.recorder.trajectory_.steps.tolist() == [0, 1, 2]


def test_data_without_a_length(tmp_path):
    class Stream(torch.utils.data.IterableDataset):
        def __iter__(self):
            return iter(DATA)

    callback = RecorderCallback(estimator_of())
    trainer_of(callback, 1, tmp_path, data=Stream(), max_steps=5, eval_strategy="no").train()
    assert callback.recorder.trajectory_.steps.tolist() == [0, 1, 2]


def test_another_training_counts_on_and_the_file_is_let_go_of(tmp_path):
    path = tmp_path / "run.npz"
    callback = RecorderCallback(estimator_of(), path=path)
    trainer = trainer_of(callback, 2, tmp_path)
    for _ in range(2):
        trainer.train()
    assert ef.Trajectory.load(path).steps.tolist() == [0, 1, 2, 3]
    ef.Recorder(estimator_of(), path=path).close()


@pytest.mark.parametrize("stop", [5, 6, 7])
def test_a_training_that_is_broken_off_and_resumed_is_as_if_it_had_not_been(tmp_path, stop):
    whole = RecorderCallback(estimator_of())
    trainer_of(whole, 6, tmp_path / "whole").train()
    path, folder = tmp_path / "run.npz", tmp_path / "stopped"
    first = RecorderCallback(estimator_of(), path=path)
    with pytest.raises(RuntimeError, match="enough"):
        trainer_of([first, Stops(stop)], 6, folder, save_strategy="epoch").train()
    # An exception is told to no callback.
    first.recorder.close()
    kept = ef.Trajectory.load(path).steps.tolist()
    assert kept == list(range(stop // 2))
    second = RecorderCallback(estimator_of(), path=path)
    trainer_of(second, 6, folder, Model(seed=1), save_strategy="epoch").train(resume_from_checkpoint=True)
    trajectory = ef.Trajectory.load(path)
    assert trajectory.steps.tolist() == list(range(6))
    np.testing.assert_array_equal(trajectory.ei, whole.recorder.trajectory_.ei)
    for name in ("loss", "eval_loss"):
        np.testing.assert_array_equal(trajectory.metrics[name], whole.recorder.trajectory_.metrics[name])


def test_the_file_and_an_earlier_checkpoint_together(tmp_path):
    """The file has seen epochs that the checkpoint has not: they are not measured again, and none is missing."""
    path = tmp_path / "run.npz"
    callback = RecorderCallback(estimator_of(), path=path)
    trainer_of(callback, 4, tmp_path, save_strategy="epoch").train()
    earlier = str(tmp_path / "checkpoint-4")
    trainer_of(callback, 5, tmp_path, Model(1)).train(resume_from_checkpoint=earlier)
    assert ef.Trajectory.load(path).steps.tolist() == list(range(5))
    later = RecorderCallback(estimator_of(), path=path)
    trainer_of(later, 7, tmp_path, Model(1)).train(resume_from_checkpoint=earlier)
    assert ef.Trajectory.load(path).steps.tolist() == list(range(7))


def test_the_training_is_the_same_without_it(tmp_path):
    class Noisy(Model):
        def __init__(self):
            super().__init__()
            layers = nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 1)
            self.net = nn.Sequential(*layers)
            self.net[0].bias.requires_grad_(False)

        def forward(self, x, labels=None):
            # Drawn from by who runs the module, whoever that is.
            random.random(), np.random.random(), torch.rand(1)  # noqa: NPY002
            return super().forward(x, labels)

    def trained(callbacks):
        trainer = trainer_of(callbacks, 3, tmp_path, Noisy(), seed=3)
        trainer.train()
        drawn = [random.random(), np.random.random(), torch.rand(2)]  # noqa: NPY002
        moments = [one for state in trainer.optimizer.state.values() for one in state.values()]
        return [*trainer.model.state_dict().values(), *moments, *map(torch.as_tensor, drawn)], [
            *(part.training for part in trainer.model.modules()),
            *(parameter.requires_grad for parameter in trainer.model.parameters()),
        ]

    callback = RecorderCallback(estimator_of())
    (without, modes), (beside, other_modes) = trained([]), trained([callback])
    assert all(torch.equal(one, other) for one, other in zip(without, beside, strict=True))
    assert modes == other_modes
    assert len(callback.recorder.trajectory_) == 3


def test_only_the_first_process_records(tmp_path, monkeypatch):
    callback = RecorderCallback(estimator_of(), path=tmp_path / "run.npz")
    monkeypatch.setattr(Trainer, "is_world_process_zero", lambda self: False)
    trainer_of(callback, 1, tmp_path).train()
    assert len(callback.recorder.trajectory_) == 0
    assert not list(tmp_path.glob("run.npz*"))


def test_weights_that_are_spread_over_processes_are_refused():
    callback, state = RecorderCallback(estimator_of()), SimpleNamespace(is_world_process_zero=True, global_step=0)
    for arguments in (SimpleNamespace(world_size=2, fsdp=True), SimpleNamespace(world_size=2, fsdp=None)):
        model = Model()
        if not arguments.fsdp:
            model.net[0].weight.ds_id = 0
        with pytest.raises(
            ValueError, match="FSDP or ZeRO-3 leaves each of the 2 a part of the weights. Train without"
        ):
            callback.on_train_begin(arguments, state, None, model=model)
    alone = SimpleNamespace(world_size=1, fsdp=True)
    callback.on_train_begin(alone, state, None, model=Model())


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"estimator": 3}, TypeError, "'estimator' parameter of Recorder must be an EffectiveInformation"),
        ({"every": 0}, ValueError, "'every' parameter of Recorder must be an integer >= 1. Got 0"),
        ({"module": 3}, TypeError, "'module' parameter of RecorderCallback must be the path .* Got 3"),
        ({"module": nn.Linear(2, 2)}, TypeError, "must be the path .* Got a Linear itself"),
        ({"on_error": "no"}, ValueError, "'on_error' parameter of RecorderCallback must be .* Got 'no'"),
        ({"activations": "tanh"}, TypeError, "RecorderCallback got an unexpected .*'activations'"),
        ({"path": "run.txt"}, ValueError, "must end in .npz"),
    ],
)
def test_mistakes_are_found_before_training(params, error, message):
    with pytest.raises(error, match=message):
        RecorderCallback(**{"estimator": estimator_of(), **params})


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"module": "head"},
            "'module' parameter .* must name a part of the Model. Got 'head'; it has net, net.0, net.1",
        ),
        ({"blocks": ["head"]}, "'blocks' parameter must be .* Got 'head'"),
        ({"module": "net.1"}, "no dense layer"),
    ],
)
def test_a_model_that_cannot_be_measured_is_refused_before_it_is_trained(tmp_path, params, message):
    path = tmp_path / "run.npz"
    model = Model()
    before = model.net[0].weight.detach().clone()
    with pytest.raises((ValueError, TypeError), match=message):
        trainer_of(RecorderCallback(estimator_of(), path=path, **params), 2, tmp_path, model).train()
    assert torch.equal(model.net[0].weight, before)
    ef.Recorder(estimator_of(), path=path).close()


@pytest.mark.parametrize("module", ["net", lambda model: model.net, "net.0"])
def test_a_part_of_a_model(tmp_path, module):
    callback = RecorderCallback(estimator_of(), module=module, names=None)
    trainer_of(callback, 1, tmp_path).train()
    assert callback.recorder.trajectory_.layers in (("0", "2"), ("layer0",), ("Linear",), ("linear",))


class Diverges(TrainerCallback):
    def on_epoch_begin(self, args, state, control, model=None, **kwargs):
        if round(state.epoch) == 1:
            with torch.no_grad():
                model.net[0].weight.fill_(torch.nan)


def test_a_training_that_diverges_goes_on_or_is_ended(tmp_path):
    callback = RecorderCallback(estimator_of())
    with pytest.warns(ef.RecordingWarning) as caught:
        trainer_of([callback, Diverges()], 4, tmp_path, eval_strategy="no").train()
    told = [str(one.message) for one in caught]
    assert re.match("Epoch 1 is not recorded, and training goes on: ValueError: .* 'net.0' must be finite", told[0])
    assert told[-1] == "3 epochs could not be recorded, the first was 1, the last 3."
    assert callback.recorder.trajectory_.steps.tolist() == [0]
    with pytest.raises(ValueError, match="must be finite"):
        trainer_of([RecorderCallback(estimator_of(), on_error="raise"), Diverges()], 4, tmp_path).train()


def test_a_layer_of_a_bert(tmp_path):
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=20,
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=12,
        max_position_embeddings=8,
        num_labels=2,
    )
    model = BertForSequenceClassification(config)
    tokens = torch.randint(0, 20, (12, 6), generator=torch.Generator().manual_seed(0))
    data = [{"input_ids": row, "labels": (row[0] > 9).long()} for row in tokens]
    estimator = estimator_of(tol=0.2, in_range=(-2.0, 2.0))
    callback = RecorderCallback(estimator, module="bert.encoder.layer.1.intermediate")
    trainer = trainer_of(callback, 2, tmp_path, model, data)
    trainer.train()
    trajectory = callback.recorder.trajectory_
    assert trajectory.layers == ("dense",)
    part = model.bert.encoder.layer[1].intermediate
    assert trajectory.ei[-1, 0] == ef.analyze(part, bins=4, random_state=0, tol=0.2, in_range=(-2.0, 2.0))[0].ei
    assert np.isfinite(trajectory.metrics["eval_loss"]).all()
