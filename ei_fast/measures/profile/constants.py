"""The constants of the profile: each with its unit, and the derivation or the measurement that chose it."""

MAX_PAIRS_IN_TABLE = 2**24
"""States of the outputs times bins of an input up to which pairs are counted in a table: 64 MiB. It changes no
figure."""
MAX_RANKED_KEY = 2**24
"""Largest output key up to which states are numbered by a table of keys. It changes no figure but which number a state
has."""

FEWEST_POOLED = 2**15
"""Points of the first pool."""
MAX_POOLED = 2**23
"""Points of a pool, at the most: they are kept."""
MAX_POOLED_PAIRS = 2**28
"""Points of a pool times inputs, at the most: 1.5 seconds of one core."""
FEWEST_INFLUENCES, MAX_INFLUENCES = 2**8, 2**24
"""Points of a pool whose influence on inputs is looked at, at the least; and times inputs, at the most: 128 MiB."""
MOST_TIMES_LARGER = 16
"""By how much a pool is larger than the one before, at the most: what a small one knows of its bias is little."""
HOPELESS_POOL = 0.25
"""Coverage of the states of a pool of 2**15 points below which no pool will know them."""
MIN_COVERAGE_OF_PAIRS = 0.8
"""Coverage of the states of the outputs and the bins of an input without which I(X_i; Y) is not reported as known. What
H(Y) and H(X_i, Y) miss is nearly the same: at 0.82 the sum over the inputs of 25 -> 6, scale 5, was 0.02 bits off."""
POOL_BIAS_LEFT = 0.2
"""Share, of what the model of unseen states may have wrong in H(Y) and in H(X_i, Y), that may be wrong in what they
differ by. Of the sum over inputs it was 0.10 to 0.13 for 25 -> 6, scale 5, with 2**16 to 2**19 points, and 0.1 or less,
as far as twelve seeds tell, for 25 -> 6, scale 1, 12 -> 5, scale 3, and 6 -> 6, scale 5."""

GIVEN_TOL = 2.0
"""Error aimed for in the sum of I(X_i; Y | X_others), relative to the sum, in units of `tol`: half of it takes four
times the points, and would take longer than all the rest together."""
FEWEST_FREED_CELLS = 64
"""Cells of the other inputs for each input, at first."""
FREED_POINTS_A_BIN = 16
"""Points in each bin of the input that moves, at first."""
MAX_FREED_POINTS_A_BIN = 512
"""The same at the most."""
FREED_BIAS_TAKEN_OFF, FREED_BIAS_LEFT = 0.75, 0.5
"""Of what halves of the points have more: what is taken off, and what may be left. The bias of all points was between
0.47 and 1.5 of it for 25 -> 6, scales 1 and 5, and 6 -> 6, scale 5, with 32 and 64 points a bin."""
FREED_GROUPS = 16
"""Groups of cells, at the most, each of which is left out once to know the error."""
PROBED_CELLS = 8
"""Cells in which it is found out whether points inside cells can be counted at all."""
HOPELESS_CELLS = 0.5
"""Coverage inside cells below which MAX_FREED_POINTS_A_BIN points a bin will not do."""

MOST_EXACT_INPUTS = 2**10
"""Inputs of a single output, at the most, each of which is exact once all others are known: it takes their square."""

LINES_POINTS = 2**18
"""Points whose influence is looked at where every cell is visited."""

BRACKET_POINTS = 2**17
"""Points that bound what an input tells where the states of all outputs cannot be counted."""
FEWEST_BRACKET_POINTS, MAX_BRACKET_PAIRS = 2**13, 2**28
"""The same at the least; and times inputs, at the most."""
BRACKET_CODES = 2**27
"""Bins of outputs that are kept of them, at the most."""
BRACKET_BITS = 17.0
"""Bits that the states of some outputs and the bins of an input have at the most, to be counted in these points."""
