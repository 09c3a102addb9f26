"""What an estimator does with a network that has been read, over given ranges and with a given seed."""

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from inspect import signature
from typing import Any

import numba
import numpy as np

from ei_fast._version import __version__
from ei_fast.estimator.layers import binned_layers, measure_layers
from ei_fast.measures.stages import Runner
from ei_fast.network.binned import BinnedLayer
from ei_fast.network.bins import Ranges
from ei_fast.network.network import Network
from ei_fast.parameters import RangesAndSeed, Settings
from ei_fast.results.flags import Flag
from ei_fast.results.report import Report
from ei_fast.runtime.files import plain
from ei_fast.runtime.threads import Threads
from ei_fast.validation import as_numpy_ships
from ei_fast.warmup import compile_kernels


class MeasuresNetworks:
    """What has parameters that say how the networks of a training, or of a batch, are measured alike.

    Attributes
    ----------
    verbose : int
        Above 0, progress bars count the kernels while they are compiled, then the layers.
    """

    verbose: int

    @classmethod
    @cache
    def _get_param_names(cls) -> list[str]:
        # Of this name for scikit-learn, which inspects the signature at every call: a quarter of a millisecond.
        return sorted(signature(cls).parameters)

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters by their names, which are sorted: what `get_params` of a scikit-learn estimator returns."""
        return {name: getattr(self, name) for name in self._get_param_names()}

    def binned_layers(
        self, network: Network, settings: Settings, ranges: Sequence[tuple[Ranges, Ranges]]
    ) -> list[BinnedLayer]:
        """Return every layer with its bins over the given ranges.

        Parameters
        ----------
        network : Network
            The layers.
        settings : Settings
            The numbers of bins, the baseline, and whether outputs outside the range are dropped.
        ranges : sequence of (range, range)
            Input and output range of every layer, as `Network.ranges` returns them.

        Returns
        -------
        list of BinnedLayer
            One for each layer, in order.

        Raises
        ------
        ValueError
            Where bins are too narrow to be told apart, where the pairwise method does not suit a layer, or where the
            files of matrices cannot be written.
        MemoryError
            Where tables of edges or joint states would take too much.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> estimator = ef.EffectiveInformation(bins=4)
        >>> network, settings, ranges_and_seed = estimator.check([np.eye(2)])
        >>> [layer.in_bins for layer in estimator.binned_layers(network, settings, ranges_and_seed.ranges)]
        [4]
        """
        return binned_layers(network, settings, ranges)

    @as_numpy_ships
    def measure(
        self, network: Network, settings: Settings, ranges_and_seed: RangesAndSeed, runner: Runner | None = None
    ) -> Report:
        """Measure a network over given ranges and with a given seed.

        What belongs together, like the records of a training, is measured so: over the same ranges or by the same
        rule, and with the same seed. The estimator itself stays as it is.

        Parameters
        ----------
        network : Network
            The layers.
        settings : Settings
            The checked parameters.
        ranges_and_seed : RangesAndSeed
            Input and output range of every layer, and the seed.
        runner : Runner, optional
            Where the work is done; in threads of this process where not given.

        Returns
        -------
        Report
            One `LayerReport` for each layer, in bits.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> estimator = ef.EffectiveInformation(activation="linear", bins=4)
        >>> estimator.measure(*estimator.check([np.eye(2)]))[0].ei
        4.0
        """
        binned = self.binned_layers(network, settings, ranges_and_seed.ranges)
        return self._measured(network, settings, ranges_and_seed, binned, runner)

    def _measured(
        self,
        network: Network,
        settings: Settings,
        ranges_and_seed: RangesAndSeed,
        binned: list[BinnedLayer],
        runner: Runner | None,
    ) -> Report:
        """What `measure` returns, of layers whose bins are there."""
        if self.verbose:
            compile_kernels()
        started = time.perf_counter()
        runner = runner or Runner(Threads(settings.n_jobs, bool(self.verbose)))
        with runner.threads:
            layers = measure_layers(binned, settings.options, ranges_and_seed.seed, runner, bool(self.verbose))
        noted = {name for name, note in network.notes if note == Flag.INTEGERS.meaning}
        layers = [replace(one, flags=(*one.flags, Flag.INTEGERS)) if one.name in noted else one for one in layers]
        provenance = {
            "ei_fast": __version__,
            "parameters": plain(self.parameters),
            "seed": ranges_and_seed.seed,
            "convention": ranges_and_seed.convention if isinstance(settings.out_range, str) else "",
            "libraries": {"numpy": np.__version__, "numba": numba.__version__},
            "seconds": time.perf_counter() - started,
        }
        if network.parameters is not None:
            provenance["model_parameters"] = network.parameters.to_dict()
        return Report(layers, network.skipped, provenance)
