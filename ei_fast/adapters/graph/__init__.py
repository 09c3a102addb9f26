"""What a model was seen to do, whatever framework it runs in: operations on values that depend on its input."""

from ei_fast.adapters.graph.opaque import Combine, Unknown
from ei_fast.adapters.graph.operation import Operation, Role, Start, Step, no_layer
from ei_fast.adapters.graph.rearranging import Pad, Same
from ei_fast.adapters.graph.recording import Op, Readers, Recording, convolution_first
from ei_fast.adapters.graph.recurrences import Recurrences
from ei_fast.adapters.graph.recurrent import Moved, Recurs
from ei_fast.adapters.graph.starts import Block, Conv, Dense, conv
from ei_fast.adapters.graph.steps import Affine, Line, Pointwise, Pool, Reduce, Softmax
from ei_fast.adapters.graph.transposed import Transposed, transposed
from ei_fast.adapters.graph.values import Values
from ei_fast.adapters.graph.view import View
from ei_fast.adapters.graph.window import Places, Window, spread

__all__ = [
    "Affine", "Block", "Combine", "Conv", "Dense", "Line", "Moved", "Op", "Operation", "Pad", "Places", "Pointwise",
    "Pool", "Readers", "Recording", "Recurrences", "Recurs", "Reduce", "Role", "Same", "Softmax", "Start", "Step",
    "Transposed", "Unknown", "Values", "View", "Window", "conv", "convolution_first", "no_layer", "spread",
    "transposed",
]  # fmt: skip
