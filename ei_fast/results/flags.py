"""Flags: what to know of a layer's figures before they are trusted, and what to do about it."""

from enum import StrEnum


class Flag(StrEnum):
    """A flag of a report; it is a plain string, whose `meaning` says what it stands for and what to do."""

    meaning: str

    CONSTANT = (
        "constant",
        "No output leaves its bin anywhere on the input range, so that everything is exactly 0.",
    )
    SENSITIVITY_BELOW_EI = (
        "sensitivity < EI",
        "Sensitivity is below EI: one input alone, the others at the baseline, moves too few outputs across an edge "
        "of their bins, by coarse bins or by saturation at the baseline. Degeneracy is then negative and "
        "says nothing; try more output bins or another baseline.",
    )
    UNDERSAMPLED = (
        "undersampled",
        "The joint states outnumber the samples, so that no estimate of EI can be trusted. The interval is a "
        "bracket of bounds, EI its midpoint; with joint='plugin' the interval is that of joint='auto', and EI stays as "
        "it was counted, even where that lies outside.",
    )
    NOTHING_KEPT = (
        "nothing kept",
        "With out_of_range='drop' no sample is left, and what it would enter is undefined (NaN): an output lies "
        "outside its range whatever the input, or did so for all samples that were tried; of the joint EI any output, "
        "of an edge its own, and in sensitivity with the other inputs at the baseline. Give a wider out_range, or "
        "another baseline.",
    )
    OUTSIDE = (
        "outputs outside range",
        "Of the outputs {share_outside:.1%} lie outside the range over which they are binned: they are dropped, or "
        "clipped into the outermost bins and there not told apart. Give a wider out_range, or none; record a training "
        "with ranges='each', or measure it anew with Trajectory.remeasure(ranges='all').",
    )
    ONE_BIN = (
        "outputs in one bin",
        "The outputs hardly leave one bin each: a neuron has less than half a bit of entropy on average, whatever the "
        "layer computes, since the range over which it is binned is too wide for it. Use out_range='auto', or "
        "'neuron' where neurons differ in scale, or more output bins.",
    )
    UNVERIFIED = (
        "gaussian unverified",
        "The outputs' pre-activations are taken to be Gaussian, and how far from it they are is not known: with fewer "
        "than three inputs an output, or outputs that depend on each other, that can be bits. The interval leaves it "
        "out; ei_bounds does not. Use joint='auto' or 'annealed'.",
    )
    NOT_UNIFORM = (
        "inputs not uniform",
        "The inputs are drawn from the histograms of in_distribution, each for itself, and not from uniform "
        "distributions: this is the effective information of that intervention, at most the entropy of the "
        "histograms, and no figure to compare with those of reports.",
    )
    OBSERVED = (
        "observed, not do()",
        "The inputs are as they were observed, with what they have to do with each other, and nothing is set: this "
        "is mutual information of what happened, no effective information. What inputs share, as by a common cause, "
        "is in it.",
    )
    TOL_NOT_REACHED = (
        "tol not reached",
        "The error is above 'tol': the ceiling of work, 'n_samples' or 'pairwise_edges' was reached first. A larger "
        "'effort' raises the ceiling.",
    )
    INTEGERS = (
        "integer weights",
        "The weights are stored as integers, and measured as they are. If they are codes of a quantised layer, they "
        "are not its weights; save it as floating-point numbers.",
    )

    def __new__(cls, value: str, meaning: str) -> "Flag":
        flag = str.__new__(cls, value)
        flag._value_ = value
        flag.meaning = meaning
        return flag

    def __repr__(self) -> str:
        # In a tuple of flags, as the string that it is.
        return repr(self.value)


_BY_VALUE = {flag.value: flag for flag in Flag}


def explanation_of(flag: str, share_outside: float) -> str:
    """What a flag means for a layer of whose outputs this share lies outside their range."""
    return _BY_VALUE[flag].meaning.format(share_outside=share_outside)
