"""A JAX training loop of a Flax module, measured every tenth epoch, on its way through the causal plane."""

import jax.numpy as jnp
import optax
from flax import nnx
from sklearn.datasets import load_iris

import ei_fast as ef

inputs, labels = load_iris(return_X_y=True)
inputs, targets = jnp.asarray(inputs / 8), jnp.eye(3)[labels]
rngs = nnx.Rngs(0)
model = nnx.Sequential(nnx.Linear(4, 5, rngs=rngs), nnx.tanh, nnx.Linear(5, 3, rngs=rngs), nnx.sigmoid)


optimizer = nnx.Optimizer(model, optax.adam(0.02), wrt=nnx.Param)


@nnx.jit
def step(model, optimizer):
    loss, gradients = nnx.value_and_grad(lambda model: ((model(inputs) - targets) ** 2).sum(axis=1).mean())(model)
    optimizer.update(model, gradients)
    return loss


with ef.Recorder(ef.EffectiveInformation(random_state=0), every=10, path="flax_loop.npz") as recorder:
    for epoch in range(201):
        loss = step(model, optimizer)
        recorder.record(model, step=epoch, loss=float(loss))

display = ef.CausalPlaneDisplay.from_trajectory(recorder.trajectory_).plot()
display.figure_.savefig("flax_loop.png", dpi=200)
