"""Parts of Lightning's modules, modules that are built later, and those that cannot be measured."""

import lightning.pytorch as pl
import pytest
import torch
from lightning_models import Batches, Module, estimator_of, trainer_of

import ei_fast as ef
from ei_fast.callbacks.lightning import RecorderCallback

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    # Lightning and PyTorch among themselves.
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),
]


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"every": 0}, ValueError, "'every' parameter"),
        ({"time_budget": 2}, ValueError, "'time_budget' parameter"),
        ({"path": "run.csv"}, ValueError, "must end in .npz"),
        ({"on_error": "ignore"}, ValueError, "'on_error' parameter"),
        ({"module": 3}, TypeError, "'module' parameter"),
        ({"module": torch.nn.Linear(3, 1)}, TypeError, "Got a Linear itself"),
        ({"blokcs": ["fc1"]}, TypeError, "got an unexpected keyword argument 'blokcs'. Write 'blocks'"),
    ],
)
def test_mistakes_are_found_before_training(params, error, message):
    with pytest.raises(error, match=message):
        RecorderCallback(estimator_of(), **params)
    with pytest.raises(TypeError, match="must be an EffectiveInformation"):
        RecorderCallback(8)


class Bare(Module):
    """Has no forward: its training step runs a part of it, as most do."""

    forward = pl.LightningModule.forward

    def training_step(self, batch, index):
        return ((self.net(batch) - batch.sum(1, keepdim=True)) ** 2).mean()

    def validation_step(self, batch, index):
        self.log("val_loss", self.training_step(batch, index))


class Two(Bare):
    """Two parts that can be run, one of them in a list, and a loss."""

    def __init__(self):
        super().__init__()
        self.heads = torch.nn.ModuleList([torch.nn.Linear(2, 1), torch.nn.Linear(3, 2)])
        self.critic = torch.nn.Linear(3, 1)
        self.loss = torch.nn.MSELoss()


def test_a_module_without_forward_is_measured_by_its_one_part(tmp_path):
    module, callback = Bare(), RecorderCallback(estimator_of())
    trainer_of(callback, 3, tmp_path).fit(module)
    assert callback.recorder.trajectory_.steps.tolist() == [0, 1, 2]
    assert callback.recorder.trajectory_.ei[-1, 0] == ef.analyze(module.net, bins=4, random_state=0)[0].ei


@pytest.mark.parametrize(
    ("part", "width"),
    [("net", 2), ("net.2", 1), ("heads.1", 2), (lambda module: module.heads[0], 1), (lambda module: module.critic, 1)],
)
def test_a_part_of_a_module(tmp_path, part, width):
    callback = RecorderCallback(estimator_of(), module=part)
    trainer_of(callback, 2, tmp_path).fit(Two())
    assert len(callback.recorder.trajectory_) == 2
    assert callback.recorder.report_[0].n_out == width


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "The Two has no forward, .* it has net, critic. Name a part, module='net'"),
        ({"module": "nets"}, "Got 'nets'; it has net, net.0, net.1, net.2, heads, heads.0, heads.1, critic, loss"),
        ({"module": "heads.5"}, "Got 'heads.5'"),
        ({"module": "net", "blocks": ["7"]}, "Got '7', which the model does not have"),
        ({"module": "net", "order": ["0"]}, "'order' parameter of as_network is for dicts"),
        ({"module": "net", "keep_weights": True, "blocks": ["1"]}, "keep_weights=True keeps weights"),
    ],
)
def test_a_module_that_cannot_be_measured_is_refused_before_it_is_trained(tmp_path, params, message):
    batches, path = Batches(), tmp_path / "run.npz"
    with pytest.raises(ValueError, match=message):
        trainer_of([batches, RecorderCallback(estimator_of(), path=path, **params)], 2, tmp_path).fit(Two())
    assert batches.seen == 0
    ef.Recorder(estimator_of(), path=path).close()


class Unbuilt(Bare):
    """Has no part yet."""

    first = torch.nn.Linear

    def __init__(self):
        super().__init__()
        del self.net

    def build(self):
        if not hasattr(self, "net"):
            self.net = torch.nn.Sequential(self.first(3, 2), torch.nn.Tanh(), torch.nn.Linear(2, 1))


class BuiltInSetup(Unbuilt):
    """Is built once the data are known."""

    def setup(self, stage):
        self.build()


class BuiltByStrategy(Unbuilt):
    """Is built where its weights are to be."""

    def configure_model(self):
        self.build()


class Lazy(BuiltByStrategy):
    """Has weights only once it has met a batch."""

    first = staticmethod(lambda n_in, n_out: torch.nn.LazyLinear(n_out))


@pytest.mark.parametrize("kind", [BuiltInSetup, BuiltByStrategy, Lazy])
def test_a_module_that_is_built_later(tmp_path, kind):
    callback = RecorderCallback(estimator_of())
    trainer_of(callback, 2, tmp_path).fit(kind())
    assert len(callback.recorder.trajectory_) == 2


@pytest.mark.parametrize("kind", [BuiltInSetup, BuiltByStrategy])
def test_a_module_that_is_built_later_is_refused_before_it_is_trained(tmp_path, kind):
    batches = Batches()
    with pytest.raises(ValueError, match="Got 'head'; it has net, net.0, net.1, net.2"):
        trainer_of([batches, RecorderCallback(estimator_of(), module="head")], 2, tmp_path).fit(kind())
    assert batches.seen == 0


def test_what_the_estimator_cannot_measure_is_refused_before_the_module_is_trained(tmp_path):
    batches, callback = Batches(), RecorderCallback(estimator_of(pairwise="exact"), blocks={"net.1": (-1.0, 1.0)})
    with pytest.raises(ValueError, match="pairwise='exact' must be asked of dense layers"):
        trainer_of([batches, callback], 2, tmp_path).fit(Module())
    assert batches.seen == 0


@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method:DeprecationWarning")
def test_a_part_that_is_compiled(tmp_path):
    module, callback = Bare(), RecorderCallback(estimator_of())
    module.net = torch.compile(module.net, backend="eager")
    trainer_of(callback, 1, tmp_path).fit(module)
    assert callback.recorder.trajectory_.layers == ("0", "2")


class Quiet(Bare):
    """Logs nothing in its training step, which PyTorch does not always compile."""

    forward = Module.forward


@pytest.mark.parametrize(("kind", "layers"), [(Quiet, ("net.0", "net.2")), (Bare, ("0", "2"))])
def test_a_module_that_is_compiled(tmp_path, kind, layers):
    module, callback = torch.compile(kind(), backend="eager"), RecorderCallback(estimator_of())
    trainer_of(callback, 2, tmp_path).fit(module)
    assert callback.recorder.trajectory_.layers == layers
    weights = [part.weight.T.detach().numpy() for part in (module.net[0], module.net[2])]
    ei = ef.analyze([(weights[0], module.net[0].bias.detach().numpy(), "tanh")], bins=4, random_state=0)[0].ei
    assert callback.recorder.trajectory_.ei[-1, 0] == ei


def test_a_function_that_returns_no_part(tmp_path):
    batches, callback = Batches(), RecorderCallback(estimator_of(), module=lambda module: None)
    with pytest.raises(TypeError, match="must return what is measured of the model. Got None"):
        trainer_of([batches, callback], 2, tmp_path).fit(Module())
    assert batches.seen == 0
