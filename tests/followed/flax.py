"""Remedies of Flax models, followed."""

import numpy as np

import ei_fast as ef
from followed import follows, literal


def _flax():
    from flax import linen

    class Net(linen.Module):
        @linen.compact
        def __call__(self, x):
            return linen.Dense(2)(linen.tanh(linen.Dense(3)(x)))

    import jax

    module = Net()
    return module, module.init(jax.random.key(0), np.ones((1, 4), np.float32))


@follows("Give input_shape=, the shape of one sample, or example_inputs=, a batch (rows, ...)")
def _(said):
    from flax import nnx

    model = nnx.Sequential(nnx.Conv(3, 2, (3, 3), rngs=nnx.Rngs(0)), nnx.relu)
    message = said.refused(ef.as_network, model)
    shape = literal(message, "as input_shape=")
    ef.as_network(model, input_shape=shape)
    ef.as_network(model, example_inputs=np.ones((2, *shape), np.float32))


@follows("of as_network say the same. Got both. Give one.")
def _(said):
    module, variables = _flax()
    both = {"input_shape": (4,), "example_inputs": np.ones((2, 4), np.float32)}
    said.refused(ef.as_network, (module, variables), **both)
    for name, value in both.items():
        ef.as_network((module, variables), **{name: value})


@follows(
    "Got numbers of type {} instead. Convert them to float32.",
    "Got the shape {} instead. Give it an axis of rows.",
)
def _(said):
    batch = np.ones((2, 4), np.int64)
    for wrong in (batch, batch > 0):
        said.refused(ef.as_network, _flax(), example_inputs=wrong)
        ef.as_network(_flax(), example_inputs=wrong.astype("float32"))
    ef.as_network(_flax(), example_inputs=batch.astype("float32"))
    said.refused(ef.as_network, _flax(), example_inputs=batch[0].astype("float32"))
    ef.as_network(_flax(), example_inputs=batch[0].astype("float32")[None])


@follows("Convert numbers to float32. Indices, as of tokens, are no numbers in a range")
def _(said):
    from flax import nnx

    class Tokens(nnx.Module):
        def __init__(self):
            self.table, self.behind = nnx.Embed(10, 4, rngs=nnx.Rngs(0)), nnx.Linear(4, 2, rngs=nnx.Rngs(0))

        def __call__(self, x):
            return self.behind(self.table(x))

    said.refused(ef.as_network, Tokens(), example_inputs=np.zeros((2, 3), np.int32))
    assert len(ef.as_network(Tokens().behind, input_shape=(3, 4))) == 1


@follows("that is not bound. Pass the pair (module, variables), or module.bind(variables).")
def _(said):
    module, variables = _flax()
    said.refused(ef.as_network, module)
    ef.as_network((module, variables))
    ef.as_network(module.bind(variables))


@follows("Call as_network after what jax.jit or nnx.jit made has returned.")
def _(said):
    import jax

    module, variables = _flax()
    found = []

    @jax.jit
    def trained(variables):
        if not found:
            found.append(said.refused(ef.as_network, (module, variables)))
        return variables

    ef.as_network((module, trained(variables)))


@follows("The parameters of a model must be arrays. Got {}, which is a {}, instead. Give it its values.")
def _(said):
    import jax

    module, variables = _flax()
    shapes = jax.eval_shape(lambda: variables)
    said.refused(ef.as_network, (module, shapes))
    ef.as_network((module, variables))


@follows(
    "{}. Got {} instead. Pass (module, {'params': params}).", "{}. Got a dict of {} instead. Pass (module, {'params'"
)
def _(said):
    module, variables = _flax()
    params = variables["params"]
    said.refused(ef.as_network, (module, list(params.values())))
    said.refused(ef.as_network, (module, params))
    ef.as_network((module, {"params": params}))
