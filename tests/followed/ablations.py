"""Remedies of ablations, followed."""

import numpy as np

import ei_fast as ef
from followed import follows

QUICK = {"random_state": 0, "activation": "linear"}
WIDE = np.random.default_rng(0).normal(size=(40, 30))


@follows("in {}. Got {} instead. Leave it out.")
def _(said):
    for name, value in {"out_of_range": "drop", "joint": "plugin", "pairwise_edges": 2000}.items():
        for call in (ef.ablation, ef.ablation_curve):
            said.refused(call, np.eye(2), **{name: value})
    ef.ablation(np.eye(2), **QUICK)


@follows("of which no weights are known. Give the weights of its layers, one at a time.")
def _(said):
    network = ef.as_network([np.eye(2), np.ones((2, 1))])
    said.refused(ef.ablation, network.between(0, 1))
    for layer in network:
        ef.ablation(layer.weight, **QUICK)


@follows("Give another measure as 'by', or measure again with pairwise='auto' and joint='annealed'.")
def _(said):
    found = ef.ablation(np.eye(2), pairwise="none", **QUICK)
    said.refused(found.least, 1, by="sensitivity")
    found.least(1, by="ei")
    ef.ablation(np.eye(2), pairwise="auto", joint="annealed", **QUICK).least(1, by="sensitivity")


@follows("Leave 'ei' out of 'orders', or give joint='annealed'.")
def _(said):
    two = {"shares": (0.5,), "random_state": 0, "effort": 0.01, "pairwise": "none"}
    said.refused(ef.ablation_curve, 3 * WIDE, "inputs", orders=["ei"], **two)
    ef.ablation_curve(3 * WIDE, "inputs", orders=["magnitude"], **two)
    small = np.random.default_rng(0).normal(size=(2, 2))
    ef.ablation_curve(small, "inputs", orders=["ei"], joint="annealed", **(two | {"effort": 1.0, "tol": 0.5}))


@follows("Make one first: ef.ablation(layer).")
def _(said):
    said.refused(ef.plot_ablation, np.eye(2))
    ef.plot_ablation(ef.ablation(np.eye(2), **QUICK))


@follows("Make one first: ef.ablation_curve(layer).")
def _(said):
    said.refused(ef.plot_ablation_curve, np.eye(2))
    ef.plot_ablation_curve(ef.ablation_curve(np.eye(2), **QUICK))
