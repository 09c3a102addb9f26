"""Flax models that cannot be measured are refused with what to do."""

import sys

import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx
from flax_models import Chain, with_variables

import ei_fast as ef


def _unbound():
    return nn.Dense(3)


def _traced():
    seen = []
    model = nnx.Linear(3, 2, rngs=nnx.Rngs(0))
    nnx.jit(lambda m: seen.append(ef.as_network(m)))(model)


def _complex():
    return nnx.Linear(3, 2, param_dtype=jnp.complex64, rngs=nnx.Rngs(0))


def _dense_pair():
    return with_variables(nn.Dense(3), 4)


FLOATS, INTEGERS = np.zeros((2, 4), np.float32), np.zeros((2, 4), int)


@pytest.mark.parametrize(
    ("make", "options", "error", "message"),
    [
        (_unbound, {}, TypeError, r"Got a Dense that is not bound. Pass the pair \(module, variables\)"),
        (lambda: (nnx.Linear(3, 2, rngs=nnx.Rngs(0)), 5), {}, TypeError, "Got a pair of Linear and int instead"),
        (lambda: (nn.Dense(3), 5), {}, TypeError, "must be what its 'init' returns.* Got int instead"),
        (lambda: (nn.Dense(3), _dense_pair()[1]["params"]), {}, ValueError, r"Pass \(module, \{'params': params\}\)"),
        (_dense_pair, {"example_inputs": INTEGERS}, TypeError, "floating-point numbers. Got numbers of type int"),
        (_dense_pair, {"example_inputs": FLOATS[0]}, ValueError, r"a batch \(rows, ...\).* Got the shape \(4,\)"),
        (_dense_pair, {"example_inputs": FLOATS, "input_shape": (4,)}, ValueError, "Got both. Give one"),
        (_dense_pair, {"input_shape": (0,)}, ValueError, "'input_shape'"),
        (_dense_pair, {"blocks": ["a"]}, ValueError, "'blocks' parameter of as_network is for"),
        (lambda: nnx.Conv(1, 2, (3, 3), rngs=nnx.Rngs(0)), {}, ValueError, "cannot be told.* Give input_shape="),
        (lambda: [np.ones((2, 2))], {"example_inputs": FLOATS}, ValueError, "at least one row of the 2 inputs"),
        (lambda: nnx.eval_shape(lambda: Chain([4, 3], [jnp.tanh])), {}, TypeError, "'layers/0/bias', which is a Shape"),
        (_complex, {}, TypeError, "Got 'bias', which is complex"),
        (lambda: nnx.Dropout(0.5, rngs=nnx.Rngs(0)), {"input_shape": (4,)}, TypeError, "no dense layer or convolution"),
        (_traced, {}, TypeError, "Call as_network after"),
    ],
)
def test_refused(make, options, error, message):
    with pytest.raises(error, match=message):
        ef.as_network(make(), **options)


def test_what_the_model_raises_comes_through():
    with pytest.raises(Exception, match="5") as caught:
        ef.as_network(_dense_pair(), input_shape=(5,))
    assert any(
        "Raised by the model for samples of shape (5,) of float32 numbers" in note for note in caught.value.__notes__
    )


def test_a_missing_library_is_named(monkeypatch):
    model = Chain([4, 3], [jnp.tanh])
    monkeypatch.setitem(sys.modules, "jax", None)
    monkeypatch.delitem(sys.modules, "ei_fast.adapters.jax.model", raising=False)
    with pytest.raises(ImportError, match=r'pip install "ei_fast\[flax\]"'):
        ef.as_network(model)


def test_a_model_of_tokens_says_that_it_takes_indices():
    class Tokens(nnx.Module):
        def __init__(self):
            self.table, self.a = nnx.Embed(10, 4, rngs=nnx.Rngs(0)), nnx.Linear(4, 2, rngs=nnx.Rngs(0))

        def __call__(self, x):
            return self.a(self.table(x))

    with pytest.raises(ValueError, match="integer") as raised:
        ef.as_network(Tokens(), input_shape=(3,))
    assert any("Indices, as of tokens, are no numbers" in note for note in raised.value.__notes__)
    with pytest.raises(TypeError, match="Indices, as of tokens, are no numbers"):
        ef.as_network(Tokens(), example_inputs=jnp.zeros((2, 3), jnp.int32))
    assert len(ef.as_network(Tokens().a, input_shape=(3, 4))) == 1
