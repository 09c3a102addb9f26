"""Remedies of PyTorch models, followed."""

import numpy as np
import torch
from models import Does
from sklearn.linear_model import LogisticRegression
from torch import nn

import ei_fast as ef
from followed import follows, literal

QUICK = {"random_state": 0, "tol": 0.5}


@follows("Of scikit-learn's models MLPClassifier, MLPRegressor and pipelines that end in one can be measured.")
def _(said):
    model = LogisticRegression().fit([[0.0, 1.0], [1.0, 0.0]], [0, 1])
    said.refused(ef.analyze, model)
    ef.analyze(model.coef_.T, **QUICK)


@follows("and does not bound its inputs: give in_range ((-3, 3) is three standard deviations, if it scales so)")
def _(said):
    import warnings

    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = make_pipeline(StandardScaler(), MLPClassifier((2,), max_iter=5)).fit(np.eye(4), [0, 1, 0, 1])
    said.messages += [reason for _, reason in ef.as_network(model).skipped]
    in_range = literal(said.messages[-1], "give in_range (")
    assert ef.analyze(model, in_range=in_range, **QUICK)[0].in_range == in_range


@follows("A ScriptModule does not show what it does. Pass the module that it was made from.")
def _(said):
    model = nn.Sequential(nn.Linear(2, 2))
    said.refused(ef.as_network, torch.jit.trace(model, torch.ones(1, 2)))
    ef.as_network(model)


@follows("The model has no dense layer that tells what its inputs are. Give input_shape=")
def _(said):
    model = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU())
    message = said.refused(ef.analyze, model)
    ef.analyze(model, input_shape=literal(message, "as input_shape="), tol=1.0, random_state=0)


@follows("Where it takes another, give input_shape=, the shape of one sample: (time, features) of a sequence.")
def _(said):
    model = Does(lambda self, x: self.dense(x.reshape(-1, 6)[:, :4]), dense=nn.Linear(4, 2))
    said.refused(ef.as_network, model, verify=False)
    ef.as_network(model, input_shape=(6,))
    last = Does(lambda self, x: self.dense(self.rnn(x)[0][:, -1]), rnn=nn.LSTM(5, 4, batch_first=True))
    last.dense = nn.Linear(4, 2)
    said.refused(ef.as_network, last)
    ef.as_network(last, input_shape=(7, 5))


@follows("Give input_shape=, (time, features) of one sample, as input_shape={}; or input_shape=({},), where the rows")
def _(said):
    attention = Does(lambda self, x: self.head(self.a(x, x, x)[0]), a=nn.MultiheadAttention(8, 2, batch_first=True))
    attention.head = nn.Linear(8, 2)
    message = said.refused(ef.as_network, attention)
    shape = literal(message, "as input_shape=")
    assert ef.as_network(attention, input_shape=shape)[-1].name == "head"
    rows = literal(message.split("; or ")[1], "input_shape=")
    assert ef.as_network(attention, input_shape=rows)[-1].name == "head"


@follows("Build it with batch_first=True, so that rows come first and time second, load its weights, and give")
def _(said):
    def built(**options):
        model = Does(lambda self, x: self.head(self.rnn(x)[0]), rnn=nn.GRU(5, 4, **options))
        model.head = nn.Linear(4, 2)
        return model

    model = built()
    message = said.refused(ef.as_network, model)
    again = built(**{"batch_first": literal(message, "batch_first=")})
    again.load_state_dict(model.state_dict())
    network = ef.as_network(again, input_shape=literal(message, "as input_shape="))
    np.testing.assert_array_equal(network[-1].weight, model.head.weight.detach().numpy().T)


@follows("The model uses a {} that it does not hold. Make it an attribute of the model.")
def _(said):
    outside = nn.Linear(2, 2)
    said.refused(ef.as_network, Does(lambda self, x: outside(self.own(x)), own=nn.Linear(2, 2)))
    ef.as_network(Does(lambda self, x: self.outside(self.own(x)), own=nn.Linear(2, 2), outside=outside))


@follows("arguments and {} keywords instead. Name the module around it.")
def _(said):
    class Both(nn.Module):
        def forward(self, x, y):
            return x * y

    inner = Does(lambda self, x: self.both(self.a(x), self.b(x)), a=nn.Linear(2, 2), b=nn.Linear(2, 2), both=Both())
    model = nn.Sequential(inner, nn.Tanh(), nn.Linear(2, 2))
    said.refused(ef.as_network, model, blocks={"0.both": (-1.0, 1.0)})
    ef.as_network(model, blocks={"0": (-1.0, 1.0)})


@follows("The block {} must map rows to rows. Got {} for {} instead. Name the module around it.")
def _(said):
    first = Does(lambda self, x: x[:1] * 2.0)
    around = Does(lambda self, x: self.dense(x) + 0.0 * self.first(x), dense=nn.Linear(2, 2), first=first)
    model = nn.Sequential(around, nn.Tanh(), nn.Linear(2, 2))
    said.refused(ef.as_network, model, blocks={"0.first": (-1.0, 1.0)})
    ef.as_network(model, blocks={"0": (-1.0, 1.0)}, verify=False)


@follows("Name the module that decides in 'blocks' to measure it whole, or use verify=False")
def _(said):
    def decides(self, x):
        return torch.tanh(self.dense(x)) if bool((x.abs() <= 1.0).all()) else self.dense(x)

    model = nn.Sequential(Does(decides, dense=nn.Linear(2, 2)), nn.Linear(2, 2))
    said.refused(ef.analyze, model)
    ef.analyze(model, verify=False, **QUICK)


@follows("The output range of the block {} cannot be derived. {} Give it, as blocks={{}: {}}.")
def _(said):
    torch.manual_seed(0)
    residual = Does(lambda self, x: x + self.dense(x), dense=nn.Linear(2, 2))
    for model, name in (
        (nn.Sequential(residual, nn.Linear(2, 2)), "0"),
        (Does(lambda self, x: self.r(x), r=residual), "r"),
    ):
        message = said.refused(ef.analyze, model, blocks=[name], input_shape=(2,))
        blocks = literal(message, "as blocks=")
        assert list(blocks) == [name]
        low, high = blocks[name]
        seen = message.split("its outputs are from ")[1].split(". Give")[0].split(" to ")
        assert low < float(seen[0]) < float(seen[1]) < high
        ef.analyze(model, blocks=blocks, input_shape=(2,), **QUICK)


@follows("which is not finite on random inputs. Give an 'in_range' on which it is, or use verify=False.")
def _(said):
    model = Does(lambda self, x: torch.exp(self.dense(x)).float(), dense=nn.Linear(2, 2))
    with torch.no_grad():
        model.dense.weight.fill_(1.0)
    # In float32 the model overflows where the layer does not.
    said.refused(ef.analyze, model, in_range=(60.0, 80.0))
    ef.analyze(model, in_range=(0.0, 1.0), **QUICK)
    ef.analyze(model, in_range=(60.0, 80.0), verify=False, **QUICK)


@follows("so that its range cannot be told. Give an 'in_range' on which they are numbers.")
def _(said):
    model = nn.Sequential(Does(lambda self, x: torch.log(x)), nn.Linear(2, 2), nn.Tanh())
    said.refused(ef.analyze, model, input_shape=(2,), in_range=(-2.0, -1.0))
    ef.analyze(model, input_shape=(2,), in_range=(1.0, 2.0), verify=False, **QUICK)


@follows("It has no effective information; name a smaller block.")
def _(said):
    centred = Does(lambda self, x: torch.tanh(self.dense(x)) - x.mean(0), dense=nn.Linear(2, 2))
    model = nn.Sequential(centred, nn.Linear(2, 2))
    said.refused(ef.as_network, model, blocks={"0": (-2.0, 2.0)})
    ef.as_network(model, blocks={"0.dense": (-2.0, 2.0)})


@follows("; name the module that holds it in 'blocks' to measure it as one map")
def _(said):
    residual = Does(lambda self, x: x + torch.tanh(self.dense(x)), dense=nn.Linear(2, 2))
    model = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), residual, nn.Linear(2, 2))
    said.messages += [reason for _, reason in ef.as_network(model).skipped]
    network = ef.as_network(model, blocks={"2": (-2.0, 2.0)})
    assert not network.skipped


@follows(": name what holds it in 'blocks' to measure it")
def _(said):
    model = nn.Sequential(Does(lambda self, x: torch.tanh(x)), nn.Linear(2, 2))
    said.messages += [reason for _, reason in ef.as_network(model).skipped]
    assert not ef.as_network(model, blocks=["0"]).skipped


@follows("it has no weights before it has seen data. Call the model on a batch of data once, model(batch)")
def _(said):
    model = nn.Sequential(nn.LazyLinear(3), nn.Tanh(), nn.LazyLinear(2))
    said.refused(ef.as_network, model)
    model(torch.ones(5, 4))
    ef.analyze(model, **QUICK)


@follows("how long they are is not told by the layers behind it. Give input_shape=, the shape of one sample, to")
def _(said):
    def forward(self, x):
        return self.dense(self.conv(x[:, None]).flatten(1)[:, :14])

    model = Does(forward, conv=nn.Conv1d(1, 2, 1), dense=nn.Linear(14, 3))
    said.refused(ef.as_network, model)
    ef.as_network(model, input_shape=(9,))


@follows("instead of the model, with the 'input_shape' of one sample of these (where it is several, as torch.nn.Seq")
def _(said):
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.a, self.b = nn.Embedding(10, 4), nn.Linear(4, 5), nn.Linear(5, 2)

        def forward(self, x):
            return self.b(torch.relu(self.a(self.table(x))))

    model = Tokens()
    message = said.refused(ef.as_network, model, input_shape=(3,))
    width = literal(message, "which takes vectors of ")
    assert len(ef.as_network(model.a, input_shape=(3, width))) == 1
    assert len(ef.as_network(nn.Sequential(model.a, nn.ReLU(), model.b), input_shape=(3, width))) == 2
    assert len(ef.as_network(model.state_dict(), order=["a", "b"], activation=["relu", "linear"])) == 2


@follows("Name it, or the module around it, in 'blocks' to measure it as it runs.")
def _(said):
    from ei_fast.adapters.torch import operations as torch_ops

    model = nn.Sequential(nn.Linear(4, 3), nn.Hardtanh(-100, 100), nn.Linear(3, 2))
    with torch.no_grad():
        model[0].weight.fill_(15)
    wrong = ef.Activation("hard_tanh", min_val=-200, max_val=200)
    said.monkeypatch.setitem(torch_ops.ACTIVATIONS, "hardtanh", lambda given: wrong)
    message = said.refused(ef.as_network, model)
    name = literal(message, "Layer ")
    assert name == "0"
    # The activation that was read wrongly is around nothing: the model that holds both is named.
    around = nn.Sequential(model, nn.Linear(2, 2))
    ef.as_network(around, blocks={"0": (-1000.0, 1000.0)})


def _own(model, n_in, n_out, out_range):
    """A model of PyTorch as a Function."""

    def run(x):
        with torch.no_grad():
            return model(torch.as_tensor(x, dtype=torch.float32)).double().numpy()

    return ef.Function(run, n_in, n_out, out_range)


@follows(
    "no dense layer or convolution that could be measured. It has {}. Measure it as a Function of your own.",
    "in a way that could be followed. Measure it as a Function of your own.",
)
def _(said):
    without = Does(lambda self, x: torch.cumsum(x, 1), dense=nn.Linear(3, 3))
    said.refused(ef.as_network, without)
    elsewhere = Does(lambda self, x: torch.from_numpy(np.tanh(self.dense(x).detach().numpy())), dense=nn.Linear(3, 3))
    said.refused(ef.as_network, elsewhere)
    constant = Does(lambda self, x: torch.full((len(x), 3), 0.5), dense=nn.Linear(3, 3))
    said.refused(ef.as_network, constant)
    ef.analyze(_own(constant, 3, 3, (0.0, 1.0)), **QUICK)
    ef.analyze(_own(without, 3, 3, (0.0, 3.0)), **QUICK)
    ef.analyze(_own(elsewhere, 3, 3, (-1.0, 1.0)), **QUICK)


@follows("What the model returns does not depend on its input. Measure it as a Function of your own, if at all.")
def _(said):
    import jax.numpy as jnp

    def constant(parameters, x):
        return jnp.full((x.shape[0], 2), 0.5) * parameters["scale"]

    said.refused(ef.as_network, (constant, {"scale": jnp.ones(2)}), input_shape=(3,))
    ef.analyze(ef.Function(lambda x: np.full((len(x), 2), 0.5), 3, 2, (0.0, 1.0)), **QUICK)


@follows("Give the module that it was made of, or its state_dict.")
def _(said):
    model = nn.Sequential(nn.Linear(3, 2)).eval()
    program = torch.export.export(model, (torch.ones(2, 3),))
    said.refused(ef.as_network, program)
    assert len(ef.as_network(program.state_dict)) == len(ef.as_network(model)) == 1
