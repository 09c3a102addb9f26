"""Maps as chains of blocks, each with its Jacobian: of dense layers by formula, of others as they are told."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ei_fast.measures.noise.gaussian_noise import GaussianNoise
from ei_fast.measures.noise.log_volumes import log_determinant, log_volumes, scaled_by_rows
from ei_fast.measures.noise.unit_cube import Array, UnitCubeLayer
from ei_fast.network.slopes import STEP

BatchMap = Callable[[Array], NDArray[np.floating]]


class Block(Protocol):
    """One link of a chain.

    Attributes
    ----------
    n_in, n_out : int
    is_thread_safe : bool
        Whether several threads may call it at a time.
    """

    @property
    def n_in(self) -> int: ...
    @property
    def n_out(self) -> int: ...
    @property
    def is_thread_safe(self) -> bool: ...

    def linear(self, x: Array) -> tuple[Array, Array, Array]:
        """Outputs (s, n_out) at x (s, n_in), and the Jacobian there as exp(log_rows) times a matrix.

        The matrix is (s, n_out, n_in), or (n_out, n_in) where it is the same for all; `log_rows` are (s, n_out), and
        the signs of slopes are in the matrix.
        """
        ...


@dataclass(frozen=True)
class DenseBlock:
    """A dense layer: the Jacobian is its slopes times its weights."""

    layer: UnitCubeLayer
    outputs: Callable[[Array], Array]
    """The activation."""

    is_thread_safe: bool = True

    @property
    def n_in(self) -> int:
        return len(self.layer.weight)

    @property
    def n_out(self) -> int:
        return len(self.layer.bias)

    @cached_property
    def log_determinant(self) -> float:
        """ln|det weight| of as many outputs as inputs; -inf where the weights are singular."""
        return log_determinant(self.layer.weight)

    def linear(self, x: Array) -> tuple[Array, Array, Array]:
        s = x @ self.layer.weight + self.layer.bias
        signs, logs = self.layer.slopes(s)
        transposed = self.layer.weight.T
        return self.outputs(s), logs, transposed if (signs >= 0).all() else signs[:, :, None] * transposed


@dataclass(frozen=True)
class GivenBlock:
    """A map with a function that returns its Jacobian (s, n_out, n_in)."""

    n_in: int
    n_out: int
    outputs: BatchMap | None
    """None where no block follows that needs them."""
    jacobian: Callable[[Array], Array]
    is_thread_safe: bool = False

    def linear(self, x: Array) -> tuple[Array, Array, Array]:
        y = np.empty((len(x), 0)) if self.outputs is None else np.asarray(self.outputs(x), np.float64)
        return y, np.zeros((len(x), self.n_out)), self.jacobian(x)


@dataclass(frozen=True)
class DifferencedBlock:
    """A map that is differentiated by central differences, without leaving its input ranges.

    Attributes
    ----------
    low, high : ndarray (n_in,)
        Ends of the ranges; infinite for a block that is not the first.
    step : float
        Half the distance of the two points relative to the range's width, or to the size of the input where that is
        above 1; less where the points would leave the range.
    """

    n_in: int
    n_out: int
    outputs: BatchMap
    low: Array
    high: Array
    step: float = STEP
    is_thread_safe: bool = False

    def linear(self, x: Array) -> tuple[Array, Array, Array]:
        jacobians = np.empty((len(x), self.n_out, self.n_in))
        for i in range(self.n_in):
            width = self.high[i] - self.low[i]
            half = self.step * (width if np.isfinite(width) else np.maximum(1.0, np.abs(x[:, i])))
            room = np.minimum(x[:, i] - self.low[i], self.high[i] - x[:, i])
            # A point as near to an end as rounding has no other room.
            half = np.minimum(half, np.maximum(room, 8 * np.spacing(np.abs(x[:, i]))))
            above, below = x.copy(), x.copy()
            above[:, i] += half
            below[:, i] -= half
            with np.errstate(over="ignore", invalid="ignore"):
                change = np.asarray(self.outputs(above), np.float64) - np.asarray(self.outputs(below), np.float64)
            jacobians[:, :, i] = change / (above[:, i] - below[:, i])[:, None]
        return np.asarray(self.outputs(x), np.float64), np.zeros((len(x), self.n_out)), jacobians


@dataclass(frozen=True)
class MapChain:
    """Blocks that feed each other, from a cube of inputs.

    Attributes
    ----------
    blocks : sequence of Block
    low, widths : ndarray (n_in,)
        Lower ends and widths of the inputs' ranges; 0 and 1 where the first block has the unit cube for inputs.
    derivative : str
        How slopes are found: "formula", "given", "autodiff" or "differences".
    """

    blocks: Sequence[Block]
    low: Array
    widths: Array
    derivative: str

    @property
    def n_in(self) -> int:
        """Number of inputs."""
        return self.blocks[0].n_in

    @property
    def n_out(self) -> int:
        """Number of outputs."""
        return self.blocks[-1].n_out

    @property
    def is_thread_safe(self) -> bool:
        """Whether several threads may evaluate it at a time."""
        return all(block.is_thread_safe for block in self.blocks)

    @cached_property
    def n_fixed(self) -> int:
        """How many of the first blocks are dense with as many outputs as inputs: their determinants are products."""
        is_square = [isinstance(block, DenseBlock) and block.n_in == block.n_out for block in self.blocks]
        return is_square.index(False) if False in is_square else len(is_square)

    @property
    def work(self) -> float:
        """Multiply-adds of one sample, roughly."""
        n = self.n_in
        each = [
            block.n_out * block.n_in * (4.0 if k < self.n_fixed else 8.0 * n) for k, block in enumerate(self.blocks)
        ]
        return float(sum(each) + 200 * n)

    @property
    def numbers(self) -> int:
        """Numbers of one sample that are in memory at a time, roughly."""
        n = self.n_in
        each = [
            4 * block.n_out * (1 if k < self.n_fixed else max(n, block.n_in)) for k, block in enumerate(self.blocks)
        ]
        return max(each)

    def log_volumes(self, u: Array, noise: GaussianNoise) -> Array:
        """1/2 ln det(J' C^-1 J) at points `u` (s, n_in) of the unit cube, J being the Jacobian in u, C the covariance.

        Block by block: of J = J_2 J_1 with J_1 = Q R the volume is that of J_2 Q times |det R|, so that no product of
        Jacobians is formed whose small directions would be lost in rounding.
        """
        x = self.low + self.widths * u
        total = np.full(len(u), float(np.log(self.widths).sum()))
        basis: Array | None = None
        for k, block in enumerate(self.blocks):
            x, log_rows, matrix = block.linear(x)
            is_last = k == len(self.blocks) - 1
            if k < self.n_fixed:
                assert isinstance(block, DenseBlock)
                total += block.log_determinant + log_rows.sum(axis=1)
                total -= float(noise.log_deviations.sum()) if is_last else 0.0
                continue
            if basis is not None:
                matrix = matrix @ basis
            matrix = np.broadcast_to(matrix, (len(u), *matrix.shape[-2:]))
            if is_last:
                matrix, log_rows = _whitened(matrix, log_rows, noise)
            logs, basis = log_volumes(matrix, log_rows, wants_basis=not is_last)
            total += logs
        return total


def _whitened(matrix: Array, log_rows: Array, noise: GaussianNoise) -> tuple[Array, Array]:
    """A Jacobian divided by the noise."""
    if noise.factor is None or matrix.shape[1] == matrix.shape[2]:
        # Of a square matrix the determinants multiply, whatever the noise's correlations are.
        return matrix, log_rows - noise.log_deviations
    scaled, largest = scaled_by_rows(matrix, log_rows)
    return np.asarray(np.linalg.solve(noise.factor, scaled), np.float64), np.broadcast_to(largest, log_rows.shape)
