"""Flax models are compared, recorded and left as they are, with no other framework."""

import os
import pickle
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from flax_models import KNOWN, Chain, LinenChain, with_variables

import ei_fast as ef
from ei_fast.adapters.jax import operations as jax_ops


@pytest.mark.slow
def test_what_is_extracted_can_be_sent_to_other_processes():
    model = Chain([4, *[3] * (len(KNOWN) + 1)], [*KNOWN.values(), lambda x: jnp.sin(x) + jnp.exp(-x * x)])
    net = ef.as_network(model)
    again = pickle.loads(pickle.dumps(net))
    x = np.random.default_rng(0).uniform(-3, 3, (20, 3))
    for layer, other in zip(net.layers[1:], again.layers[1:], strict=True):
        np.testing.assert_array_equal(layer(x), other(x))


def test_every_layer_is_compared_with_the_run(monkeypatch):
    true = jax_ops._SEVERAL["dot_general"]

    def wrong(equation):
        (does, output), *more = true(equation)
        return [(jax_ops.Dense(does.weight * 1.01, does.bias), output), *more]

    monkeypatch.setitem(jax_ops._SEVERAL, "dot_general", wrong)
    model = Chain([4, 3], [jnp.tanh])
    with pytest.raises(ValueError, match=r"'layers.0' as extracted differs"):
        ef.as_network(model)
    assert ef.as_network(model, verify=False)


def test_a_recording_is_cheap_when_nothing_is_compared(monkeypatch):
    model, runs = Chain([4, 3], [jnp.tanh]), []
    true = jax.make_jaxpr
    monkeypatch.setattr(jax, "make_jaxpr", lambda *given: runs.append(1) or true(*given))
    net = ef.as_network(model, verify=False, input_shape=(4,))
    assert len(runs) == 1
    np.testing.assert_array_equal(net[0].weight, np.asarray(model.layers[0].kernel[...], dtype=np.float64))


def test_a_recorder_takes_flax_models():
    module, variables = with_variables(LinenChain((4, 3), (jnp.tanh,)), 4)
    recorder = ef.Recorder(ef.EffectiveInformation(random_state=0))
    for step in range(2):
        recorder.record((module, variables), step=step, loss=1.0)
        variables = jax.tree.map(lambda leaf: 2 * leaf, variables)
    assert recorder.trajectory_.layers == ("Dense_0",)
    assert len(recorder.trajectory_) == 2


def test_a_description_takes_the_option(capsys):
    ef.describe(
        nnx.Conv(2, 3, (2, 2), padding="VALID", rngs=nnx.Rngs(0)), example_inputs=np.zeros((1, 5, 5, 2), np.float32)
    )
    assert "2x2x2 -> 3 per patch" in capsys.readouterr().out


class Drawing(nnx.Module):
    """Adds noise, for inference too."""

    def __init__(self):
        self.rngs, self.linear = nnx.Rngs(0), nnx.Linear(3, 2, rngs=nnx.Rngs(1))

    def __call__(self, x):
        return self.linear(x + jax.random.normal(self.rngs(), x.shape))


@pytest.mark.slow
def test_random_numbers_are_left_as_they_are():
    model = Drawing()
    net = ef.as_network(model)
    assert [name for name, _ in net.skipped] == ["add"]
    assert int(model.rngs.default.count[...]) == 0


@pytest.mark.slow
def test_parameters_on_several_devices():
    code = """
import jax, numpy as np
from flax import nnx
import ei_fast
first, second = jax.devices()
model = nnx.Linear(4, 6, rngs=nnx.Rngs(0))
expected = ei_fast.as_network(model)[0].weight
graph, state = nnx.split(model)
mesh = jax.make_mesh((2,), ("x",), axis_types=(jax.sharding.AxisType.Explicit,))
for place in (second, jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())):
    layer = ei_fast.as_network((graph, jax.device_put(state, place)))[0]
    print(np.array_equal(layer.weight, expected))
"""
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2", "JAX_PLATFORMS": "cpu"}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **flags})
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == ["True", "True"]


@pytest.mark.slow
def test_reading_a_flax_model_imports_no_other_framework():
    code = """
import sys
from flax import nnx
import ei_fast
net = ei_fast.as_network(nnx.Linear(3, 2, rngs=nnx.Rngs(0)))
print(len(net), *[name for name in ("torch", "keras", "tensorflow", "onnx") if name in sys.modules])
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == ["1"]
