"""Remedies of the information profile, followed."""

import numpy as np

import ei_fast as ef
from followed import follows, literal

QUICK = {"random_state": 0, "tol": 0.5}


@follows("inputs whose outputs are kept depend on each other")
def _(said):
    message = said.refused(ef.information_profile, np.eye(2), out_of_range="drop")
    ef.information_profile(np.eye(2), out_of_range=literal(message, "Use out_of_range="), **QUICK)


@follows("what that counts is not EI where states of the inputs hardly repeat")
def _(said):
    message = said.refused(ef.information_profile, np.eye(2), joint="plugin")
    ef.information_profile(np.eye(2), joint=literal(message, "Use joint="), **QUICK)


@follows("Give what ei_fast.information_profile returns.")
def _(said):
    said.refused(ef.plot_profile, ef.analyze(np.eye(2), **QUICK))
    ef.plot_profile(ef.information_profile(np.eye(2), **QUICK))


@follows("Give fewer bins, or a layer with fewer outputs.")
def _(said):
    weight = np.random.default_rng(0).uniform(-1.5, 1.5, (16, 12))
    wide = ef.information_profile(weight, **QUICK)
    assert "undersampled" in wide.flags
    said.messages.append(wide.explain())
    for fewer in (
        ef.information_profile(weight, bins=2, **QUICK),
        ef.information_profile(weight[:, :4], **QUICK),
    ):
        assert "undersampled" not in fewer.flags
