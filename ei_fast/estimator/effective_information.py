"""The estimator: a measurement as scikit-learn knows estimators."""

from typing import TYPE_CHECKING, Any, Self

from ei_fast.estimator.measurement import Measurement

if TYPE_CHECKING:

    class BaseEstimator:
        """What is used here of scikit-learn's class, which has no types."""

        def get_params(self, deep: bool = True) -> dict[str, Any]: ...

        def set_params(self, **params: Any) -> Self: ...

else:
    from sklearn.base import BaseEstimator


class EffectiveInformation(Measurement, BaseEstimator):
    """Effective information, sensitivity and degeneracy of every layer of a network, in bits.

    Parameters
    ----------
    bins : int or (int, int), default 8
        Number of equal bins over the range of each neuron, from 2 to 32,768; or one number for the inputs and one
        for the outputs of a layer.
    activation : str, Activation, or a sequence of one for each layer, default "sigmoid"
        Activation of layers that come as bare arrays; a module of PyTorch too, as for `Activation`.
    in_range : "auto", "seen" or (float, float), default "auto"
        Range of the first layer's inputs. ``"auto"`` is the network's own range, (0, 1) unless it says otherwise.
        ``"seen"``, with `example_inputs`: of every layer, the smallest and largest number that it received while the
        model ran on them as they are.
    out_range : "auto", "hull", "neuron", "dynamic", "seen" or (float, float), default "auto"
        Range of the outputs of every layer; or how it is derived where a layer has none of its own:

        - ``"auto"``: the codomain of a bounded activation. Of an unbounded one, what the layer reaches under
          do(L1 = H^max): the hull over its neurons of each output's quantiles at 1e-4 and 1 - 1e-4;
        - ``"hull"``: the same for a bounded activation; of an unbounded one, what interval arithmetic allows. This
          range grows with the number of inputs faster than what is reached;
        - ``"neuron"``: what each neuron reaches, a range for every neuron. The inputs of the next layer move over
          these ranges;
        - ``"dynamic"``: the smallest and largest output of each neuron among 10,000 draws of the inputs, the same draws
          at every call: the ranges of samples that other packages take, for comparison;
        - ``"seen"``, with `example_inputs`: the smallest and largest number that the layer gave while the model ran on
          them as they are. A layer that gave a single number has a range of 1 around it.

        A layer that is fed by the one before moves over the range of that one's outputs: the two ends of a connection
        have one range. Under ``in_range="seen"`` and ``out_range="seen"`` both ends are seen, and agree by themselves;
        with one of them alone they differ.
    out_of_range : "clip" or "drop", default "clip"
        ``"clip"`` counts outputs outside the range in the outermost bins. ``"drop"`` leaves the sample out: in
        per-edge measures where that output is outside, in the joint EI where any output is.
    baseline : float, default 0.0
        Value of the other inputs in sensitivity.
    joint : "auto", "conditional", "plugin", "gaussian" or "annealed", default "auto"
        Method for the joint EI. ``"auto"`` is exact for components of a layer that one input determines, the
        conditional method where samples resolve the output's states, and beyond that chains that anneal sampled states
        between a Gaussian and the uniform inputs (``"annealed"``), or the Gaussian alone where its error is known to be
        small (``"gaussian"``). ``"plugin"`` counts joint states, as published, for comparison.
    pairwise : "auto", "exact", "histogram" or "none", default "auto"
        Method for sensitivity and EI_parts: exact for dense layers, simulated joint histograms for a `Function`, or
        not measured at all. ``"auto"`` takes the first that the layer allows.
    entropy : "auto", "plugin", "miller-madow", "grassberger" or "chao-shen", default "auto"
        Estimator of sampled entropies. ``"auto"`` is Zhang's estimator with the contribution of unseen states added,
        for the joint EI and for EI_parts from histograms, and the plug-in with ``joint="plugin"``.
    n_samples : "auto" or int, default "auto"
        Number of all simulated points of a layer's joint EI, at least 256, and of the points in every edge's
        histogram. ``"auto"`` takes as many as `tol` needs.
    tol : float, default 0.01
        Bits: the value of sqrt(standard error**2 + (bias + abs(shift))**2) that ``n_samples="auto"`` aims for, from
        1e-6 to 100; the shift is what ``entropy="auto"`` would add to the estimate, 0 unless another was asked for. It
        spends up to 2**24 points or 2**34 multiply-adds on a connected component; where these do not suffice the
        layer has the flag "tol not reached". Above 10 bits of EI a tenth of `tol`, relative to EI, takes its place.
    effort : float, default 1.0
        Multiplies these ceilings, from 0.01 to 10,000. At 1 a layer takes about 5 seconds of two cores at the most.
    random_state : None, int, SeedSequence or Generator, default None
        Source of the seed. One seed gives bit-identical results for every `n_jobs`; None draws a new seed.
    n_jobs : None or int, default None
        Number of threads. None is the number of cores this process may use, and 1 inside a joblib worker.
    verbose : int, default 0
        Above 0, progress bars count the kernels while they are compiled, once on a machine, then the layers, and the
        tasks inside a layer that takes seconds.
    pairwise_edges : None or int, default None
        Number of edges, at least 1000, whose sensitivity and EI_parts are measured, exactly, in a dense layer that has
        more; the sums over all edges are estimated by these, with a standard error. The edges are drawn at random,
        those that are expected to carry more with a greater chance; the matrices are NaN at all others. None measures
        every edge. Layers whose edges are simulated are measured as a whole either way.
    matrices : None, str or path, default None
        Folder in which the matrices are kept: ``<layer>-sensitivity.npy`` and ``<layer>-ei_parts.npy``, new files that
        are filled block by block and that reports read from there, as memory maps. None keeps them in memory. Either
        way those of layers with more than 2**22 edges are float32.

    Attributes
    ----------
    report_ : Report
        All figures of all layers, with their errors.
    ei_, sensitivity_, degeneracy_, ei_parts_, phi_ff_ : ndarray (n_layers,)
        The five measures in bits, one entry for each layer.
    n_features_in_ : int
        Number of columns, n_out, where the model is one 2-D array.

    Raises
    ------
    TypeError, ValueError
        By `fit` and before any work: each message names the parameter or layer, the rule, the value and the remedy.

    Notes
    -----
    Every input neuron X_i of a layer is set, independently and uniformly, over its range: do(L1 = H^max). Inputs and
    outputs are binned. With Y the outputs of the layer [1]_,

    - EI = I(X; Y) = H(Y) - H(Y | X) of all inputs and all outputs together (section 2.2);
    - sensitivity is the sum over edges of I(X_i; Y_j) with only X_i moving and the other inputs at the baseline
      (section 2.3);
    - degeneracy = sensitivity - EI;
    - EI_parts is the sum over edges of I(X_i; Y_j) with every input moving, and phi_ff = EI - EI_parts
      (section 2.4).

    References
    ----------
    .. [1] Mattsson, Michaud & Hoel (2020). Examining the causal structures of deep neural networks using
       information theory. Entropy 22(12), 1429.

    Examples
    --------
    Each output is one of two inputs, and keeps its two bits: EI is all that there is, and degeneracy is 0.

    >>> import numpy as np
    >>> import ei_fast as ef
    >>> estimator = ef.EffectiveInformation(bins=4, activation="linear").fit([np.eye(2)])
    >>> estimator.ei_, estimator.degeneracy_
    (array([4.]), array([0.]))

    Both outputs are the same sum of two inputs, so that one of them is redundant: sensitivity is above EI.

    >>> report = ef.analyze([np.ones((2, 2))], activation="linear", bins=4, random_state=0)
    >>> report[0].ei < 2.0 < report[0].sensitivity
    True
    """
