"""The constants of the measures: each with its unit, and the derivation or the measurement that chose it."""

LN2 = 0.6931471805599453
"""Nats in a bit."""

Z95 = 1.959963984540054
"""Half width of a 95 % interval of a normal distribution, in standard errors."""

STUDENT_T = 1.21
"""Student's t of v degrees of freedom in place of z is z (1 + STUDENT_T / v) to first order: (Z95**2 + 1) / 4."""

SKEWNESS = 3.65
"""Bias, of a mean that rests on few draws, per unit of sum(d**3) / sum(d**2) / n, d being deviations from the mean.

The interval of a normal distribution then covers the mean of a Poisson variable 95 times in 100 from one event on: with
k events seen it reaches to k + 1.96 sqrt(k + 3.65**2 / 3), where the exact upper limit of 97.5 % is 5.6, 11.7 and
18.4 for one, five and ten.
"""

NONE_SEEN = 3.69
"""Expected events among which none is seen with a probability of 2.5 %: -ln 0.025."""

MIN_COVERAGE = 0.9
"""Good-Turing coverage below which no entropy is reported as if it were known."""

SECOND_ORDER_VARIANCE = 0.5 / LN2**2
"""Variance, bits**2, that each state adds to an entropy of n samples, times n**2: that of half a chi-square in nats."""

LEAST_DISCOVERY_DECAY = 0.3
"""Exponent of the decay of the discovery rate below which the number of states has no end in sight ..."""
NOTICEABLE_UNSEEN_BITS = 0.01
"""... where what is unseen is more than so many bits."""

UNSEEN_MODEL_ERROR = 0.1
UNSEEN_MODEL_ERROR_IN_CELLS = 0.3
"""Share of what is added for unseen states that may be wrong: of a whole output's states, and of those inside cells.

Inside cells the states are too few for the discovery rate to fall as a power: an edge of a bin may cut off any
small share of a cell.
"""

MAX_POINTS = 2**24
"""Points that one component of a layer is given at the most ..."""
MAX_WORK = 2**34
"""... and multiply-adds, whichever is less: beyond it `tol` is given up."""

TABLE_OF_COUNTS = 4096
"""Counts below which digamma and Grassberger's G are read off a table."""

STATES_A_SAMPLE, STATES_A_SAMPLE_OF_SMALL_TABLE, SMALL_TABLE = 4, 16, 2**22
"""Possible states a sample up to which counting in a table is faster than sorting the keys: more where the table has at
most SMALL_TABLE entries. They change no figure."""

LEAST_EXPLAINED = 0.2
"""Share of the variance over cells below which a control variate is not used: far above what a few dozen cells show by
chance."""
LEAST_MOVING = 48
"""Cells with some entropy without which a slope would be fitted to each of them, not to what they have in common."""
FEW_KEPT = 16
"""Kept points in a cell without which its entropy is as good as unknown."""
LEAST_EFFECTIVE_CELLS = 8
"""Cells of equal weight, or as good as that, without which their average has no error to speak of."""

TASK_POINTS = 2**16
"""Points of one thread's task. It changes no figure."""

MAX_ENUMERATED_CELLS, MAX_LISTED_CELLS = 2**12, 2**18
"""Cells of which every one is visited, and among which those that may keep anything are looked for, at the most."""

PILOT_POINTS, PILOT_CELLS, MIN_PILOT_CELLS = 2**14, 256, 64
"""Points anywhere of a pilot, and its cells; the spread of fewer cells than the last says nothing."""

FEW_POINTS, MIN_POINTS, MAX_POINTS_A_CELL = 32, 64, 4096
"""Points in a cell: where every one is visited, and where cells are drawn, at least; and at the most."""

MIN_EVENTS, MIN_KEPT, MOST_FOR_EVENTS = 64, 2**10, 2**18
"""Cells that move, or samples outside the commonest state, on which an error can be judged; samples kept on which an
entropy can be judged (with fewer, which samples are found good enough would depend on how they fell, and that is a
bias); and the most cells, or points, that are tried for the sake of either."""

MAX_TRIED = 2**14
"""Cells of which it is found out whether they can move, where the number of points is given."""

ROUNDS, ROUNDS_OF_GIVEN_POINTS = 64, 8
"""Times m points that are simulated in a cell, at the most, to find m that are kept; and where the number of points is
given."""
CELLS_TO_FIND = 16
"""Cells found for each that is entered, at the most, where the number of points is given."""

BEYOND_PILOT = 8
"""A pilot is believed about the points that are needed up to so many times its own."""

HOPELESS_COVERAGE, MIN_FOR_HOPELESS, HOPELESS_WORK = 0.05, 3 * 2**12, 2**32
"""Coverage of the pilot's output below which bounds are all there will be, kept samples from which on that is believed,
and the multiply-adds that are spent on them."""
BOUNDED_CELLS = 256
"""Cells for a lower bound on H(Y | X)."""

MOST_NEW = 0.01
"""Share of a cell's points, at the most, that may be in states which no other point has met, where points run short."""
LEAST_SPREAD = 0.05
"""Bits: standard deviation over cells that is assumed at least, since a pilot may have met equal cells by chance."""

CONTROL_WORK = 300
"""Multiply-adds that a control's term of one bin of one output in one cell costs as much as."""

BIAS_SHARE, STDERR_SHARE = 0.3, 0.75
"""Shares of `tol` given to the bias of each entropy and to the standard error; what is left is reserve."""

MAX_CONTROL_WORK = 500_000
"""n_in**1.5 * n_out * in_bins up to which the exact mean of the cells' control costs less than it saves."""

KEPT_CHUNK = 2**14
"""Points that are looked at in one go for those that are kept."""

SAFE_COVERAGE = 0.95
"""Coverage above which the entropy of a single output, with its bias and error, is an upper bound."""
MIN_COLLISIONS = 100
"""Pairs of samples in one state from which on the collision entropy is a bound: its margin is then below 0.6 bits."""
OUTPUT_POINTS, OUTPUT_CELLS, OUTPUT_POINTS_A_CELL = 2**14, 128, 128
"""Points anywhere, cells, and points in each, that bound the entropies of single outputs."""
SUBSET_POINTS, SUBSET_CELLS, SUBSET_POINTS_A_CELL = 2**17, 512, 256
"""The same for a subset of the outputs, whose EI is a lower bound."""
SUBSET_BITS = 13.0
"""Entropy of a subset of the outputs up to which SUBSET_POINTS may count its states well."""
BOUNDS_WORK = 2**33
"""Multiply-adds beyond which bounds of a user's function take fewer points."""
LEAST_OUTPUT_POINTS, LEAST_BOUND_CELLS = 2**10, 16
"""Points and cells that bounds take at least."""

KEPT_POINTS, KEPT_CELLS, KEPT_POINTS_A_CELL = 2**17, 512, 128
"""Kept points anywhere, kept cells, and kept points inside each, that bounds take where samples are dropped."""
KEPT_MAX_POINTS, KEPT_MAX_WORK = 2**22, 2**32
"""Points, and multiply-adds, that are spent on finding each of them."""
KEPT_ROUNDS = 16
"""Times KEPT_POINTS_A_CELL points that are simulated in a cell, at the most, to find so many kept ones."""
SPARE_BITS = 4.0
"""By so much the entropy of a subset is to be less than the log of the kept points that count its states."""

JOINT_POINTS = 2**20
"""Points whose joint states are counted where their number is not given."""
MAX_BYTES = 2**32
"""Memory that counts may take at the most."""
BYTES_A_JOINT_POINT, BYTES_A_STATE = 3 * 8 + 6 * 16, 24
"""Bytes a point where inputs, outputs and pairs are counted, each as a key, and as a state and a count twice while
shards are joined; and where outputs alone are."""
JOINT_TASK_POINTS = 2**14
"""Points of one thread's task where joint states are counted. It changes no figure."""

MAX_EXACT_CELLS = 2**24
"""in_bins * out_bins beyond which one edge's exact table is refused: 128 MiB."""
MAX_HISTOGRAM_CELLS = 2**25
"""n_in * n_out * in_bins * out_bins beyond which histograms are refused: 128 MiB of counts."""
HISTOGRAM_MAX_POINTS, HISTOGRAM_MAX_WORK = 2**22, 2**33
"""Points, and multiply-adds, beyond which `tol` is given up where edges are simulated."""
HISTOGRAM_PILOT, SENSITIVITY_PILOT = 2**15, 2**12
"""Points of their pilots."""
HISTOGRAM_BLOCK = 2**12
"""Samples that are simulated and counted in one go. It changes no figure."""
INFLUENCE_POINTS = 2**12
"""Samples whose influence on the sum is looked at, for its standard error."""
HISTOGRAM_COUNTS_IN_TABLE, HISTOGRAM_DIGAMMAS_IN_TABLE = 2**12, 2**16
"""Counts that are in a table; beyond it log2 stands in for both, which is off by 1 / (2 c ln 2)."""

EI_PARTS_TASK_WORK = 2**12
"""n_in * in_bins * outputs of one thread's task, about 2 ms. It changes no figure."""
SENSITIVITY_TASK_EDGES, SENSITIVITY_TASK_OUTPUTS = 4096, 8
"""Edges of one thread's task, and the outputs that it has at least: the weights of so many are in one line of a cache.
They change no figure."""

LEAST_EDGES = 1000
"""Edges that a subset has at least. Of normal deviations its error is then known to 2 %, 1 / sqrt(2 n), of those of few
edges that carry much to several times that; and the three coefficients that are fitted to it take no more than 0.3 %
off the variance that it shows."""
STRATUM_EDGES, STRATUM_DRAWS = 2**16, 16
"""Edges among which some are drawn in one go, as a number of whole outputs, and the fewest that are drawn from them:
more edges go together where fewer would be. It changes figures of subsets."""
CHANCE_BY_SIZE, CHANCE_OF_CROSSING = 0.5, 0.25
"""Shares of an edge's chance to be drawn that rise with what it is expected to carry, and that go to edges which move
their output alone; what is left is the same for all edges, and bounds what one drawn edge can stand for."""
LARGE_MATRIX = 2**22
"""Edges beyond which matrices are kept in single precision, and filled output by output: 32 MiB in double precision."""

OCCUPANCY_POINTS = 2**12
"""Points at which a user's function is looked at for outputs outside their range."""
