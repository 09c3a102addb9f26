"""What `jacobian_ei` returns: EI in noise form with its error, what it is the sum of, and what to know of it."""

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from ei_fast.measures.constants import Z95
from ei_fast.results.notebook import printed_in_html
from ei_fast.results.tables import frame_of

if TYPE_CHECKING:
    from pandas import DataFrame

SINGULAR = "singular"
NEGATIVE = "negative"
NUMERICAL = "numerical derivative"
NOT_REACHED = "tol not reached"

MEANINGS = {
    SINGULAR: (
        "A share of the inputs, share_singular of those sampled, has a singular Jacobian: inputs that the map does not "
        "tell apart at all, as behind a ReLU that is off. However small the share is, the mean of the logarithm is "
        "-inf. regular_value is the same formula over the other inputs alone, which is no EI of the layer."
    ),
    NEGATIVE: (
        "The value is below 0, and mutual information is not: the noise is not small against what the outputs do, as "
        "the formula assumes."
    ),
    NUMERICAL: (
        "Slopes are central differences, since no formula is known for a part of the map; what points further apart "
        "change is in the standard error. Kinks are smoothed over the distance of the points, and where rounding makes "
        "outputs constant the Jacobian counts as singular."
    ),
    NOT_REACHED: "The standard error is above 'tol': the ceiling of work was met first. A larger 'effort' raises it.",
}
"""What each flag of a `JacobianEI` means."""


@dataclass(frozen=True, repr=False)
class JacobianEI:
    """EI in noise form of a layer or of a whole map; ``float()`` gives its value.

    Parameters
    ----------
    value : float
        In bits: ``input_entropy - gaussian_entropy + log_determinant``. -inf where a share of the inputs has a singular
        Jacobian.
    stderr : float
        Its standard error in bits: 0.0 where no sample was drawn and no slope is a difference, NaN where the value is
        -inf.
    n_in, n_out : int
        Numbers of inputs and outputs.
    input_entropy : float
        Differential entropy of the inputs, the sum of the log2 of the widths of their ranges.
    log_determinant : float
        The mean of 1/2 log2 det(J' C^-1 J), J being the Jacobian and C the noise's covariance; with as many outputs as
        inputs that of ``log2 |det J|`` less 1/2 log2 det C.
    share_singular : float
        Share of the sampled inputs at which the Jacobian is singular, within the accuracy of a float64.
    regular_value, regular_stderr : float
        Value and standard error with the mean over the other inputs alone; NaN where there are none. The same as
        `value` and `stderr` where none is singular.
    n_samples : int
        Number of inputs that were drawn; 0 for a closed form.
    method : str
        ``"closed form"`` or ``"sampled"``.
    derivative : str
        Where slopes come from: ``"formula"``, ``"differences"``, ``"autodiff"`` or ``"given"``.
    flags : tuple of str
        What to know before trusting the value; see `explain`.
    name : str
        Of what was measured.

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> result = ef.jacobian_ei(ef.Layer(2 * np.eye(2), activation="linear"), noise=0.01)
    >>> result
    JacobianEI(value=11.193521, stderr=0, per_dimension=5.596761, 2 -> 2, closed form)
    >>> round(float(result), 6)
    11.193521
    """

    value: float
    stderr: float
    n_in: int
    n_out: int
    input_entropy: float
    log_determinant: float
    share_singular: float
    regular_value: float
    regular_stderr: float
    n_samples: int
    method: str
    derivative: str
    flags: tuple[str, ...]
    name: str

    def __float__(self) -> float:
        return self.value

    @property
    def per_dimension(self) -> float:
        """EI in noise form divided by the number of inputs, in bits."""
        return self.value / self.n_in

    @property
    def gaussian_entropy(self) -> float:
        """Differential entropy of as many independent standard normal numbers as there are inputs, in bits."""
        return 0.5 * self.n_in * math.log2(2 * math.pi * math.e)

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the value in bits; twice -inf where the value is."""
        if self.value == -np.inf:
            return self.value, self.value
        return self.value - Z95 * self.stderr, self.value + Z95 * self.stderr

    @property
    def regular_interval(self) -> tuple[float, float]:
        """95 % interval of `regular_value` in bits."""
        return self.regular_value - Z95 * self.regular_stderr, self.regular_value + Z95 * self.regular_stderr

    def explain(self) -> str:
        """Say how the value was found, and what each flag means.

        Returns
        -------
        str
            A sentence or two, and one or two for each flag.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> print(ef.jacobian_ei(ef.Layer(np.eye(2), activation="linear"), noise=0.01).explain())
        The closed form ln|det W| + sum of E ln|f'(S_j)| was taken: no sample was drawn.
        """
        if self.method == "closed form":
            how = "The closed form ln|det W| + sum of E ln|f'(S_j)| was taken: no sample was drawn."
        else:
            how = f"The mean over {self.n_samples:,} inputs drawn from the cube; the derivative: {self.derivative}."
        return " ".join([how, *(MEANINGS[flag] for flag in self.flags)])

    def to_frame(self) -> "DataFrame":
        """Return the figures as a pandas frame.

        Returns
        -------
        pandas.DataFrame
            One row, with a column for each parameter of this class, and per_dimension, low and high, the ends of the
            interval. Frames of several layers are put together by ``pandas.concat``.

        Raises
        ------
        ImportError
            Where pandas is not installed.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> frame = ef.jacobian_ei(ef.Layer(np.eye(2), activation="linear"), noise=0.01).to_frame()
        >>> frame["per_dimension"].round(6).tolist()
        [4.596761]
        """
        row: dict[str, Any] = {"name": self.name}
        row |= {field.name: getattr(self, field.name) for field in fields(self)}
        row |= {"per_dimension": self.per_dimension, "low": self.interval[0], "high": self.interval[1]}
        row["flags"] = ", ".join(self.flags)
        return frame_of([row], list(row), "JacobianEI.to_frame")

    def _repr_html_(self) -> str:
        header = ("layer", "EI, bits", "standard error", "bits a dimension", "method")
        cells = (f"{self.value:.4f}", f"{self.stderr:.2g}", f"{self.per_dimension:.4f}", self.method)
        return printed_in_html(header, [(str(self.name or ""), *cells)], range(1, 4), [self.explain()])

    def __repr__(self) -> str:
        figures = [f"value={self.value:.8g}", f"stderr={self.stderr:.2g}", f"per_dimension={self.per_dimension:.7g}"]
        if SINGULAR in self.flags:
            figures = [
                f"value={self.value}",
                f"share_singular={self.share_singular:.4g}",
                f"regular_value={self.regular_value:.8g}",
                f"regular_stderr={self.regular_stderr:.2g}",
            ]
        figures += [f"{self.n_in} -> {self.n_out}", self.method]
        return f"JacobianEI({', '.join(figures + ([f'flags={self.flags}'] if self.flags else []))})"
