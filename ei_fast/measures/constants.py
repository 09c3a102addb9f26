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

MIN_DISCOVERY_DECAY = 0.3
"""Exponent of the decay of the discovery rate below which the number of states has no end in sight."""
NOTICEABLE_UNSEEN_BITS = 0.01
"""Bits that unseen states must add for the number of states to be said to have no end in sight."""

UNSEEN_MODEL_ERROR = 0.1
"""Share, of what is added for the unseen states of a whole output, that may be wrong."""
UNSEEN_MODEL_ERROR_IN_CELLS = 0.3
"""Share, of what is added for the unseen states inside cells, that may be wrong: these states are too few for the
discovery rate to fall as a power, since an edge of a bin may cut off any small share of a cell."""

RELATIVE_TOL = 0.1
"""Error, relative to EI, that counts as `tol` where it is more, in units of `tol`: 93 bits need 0.09, not 0.01."""

MAX_POINTS = 2**24
"""Points of one component of a layer beyond which `tol` is given up."""
MAX_WORK = 2**34
"""Multiply-adds of one component of a layer beyond which `tol` is given up."""

EXPECTED_POINTS = 2**20
"""Points that a component is expected to take where cells are drawn, to plan batches by: 142,000 for 25 -> 6, 672,000
for 8 -> 8, and more where outputs are dropped. It changes no figure."""
EXPECTED_IN_HISTOGRAMS = 2**18
"""Points in edges' histograms that are expected for EI_parts. It changes no figure."""

TABLE_OF_COUNTS = 4096
"""Counts below which digamma and Grassberger's G are read off a table."""

STATES_A_SAMPLE = 4
"""Possible states a sample up to which counting in a table is faster than sorting the keys. It changes no figure."""
STATES_A_SAMPLE_OF_SMALL_TABLE = 16
"""The same for tables of at most SMALL_TABLE entries. It changes no figure."""
SMALL_TABLE = 2**22
"""Entries of the largest table of counts that is said to be small. It changes no figure."""

LARGE_MULTIPLICITY = 2**16
"""Samples in a state from which on multiplicities are not tallied in a table. It changes no figure."""
FEWEST_SHARED_KEYS = 2**18
"""Keys, or states, that are not shared out among threads where there are fewer. It changes no figure."""
SHARES = 64
"""Parts into which what is done for many keys is divided, and the tasks of one stage at the least where each is worth a
thread's while. It changes no figure."""

MIN_EXPLAINED = 0.2
"""Share of the variance over cells below which a control variate is not used: far above what a few dozen cells show by
chance."""
MIN_VARIED = 48
"""Cells with some entropy without which a slope would be fitted to each of them, not to what they have in common."""
MIN_KEPT_IN_CELL = 16
"""Kept points in a cell without which its entropy is as good as unknown."""
MIN_EFFECTIVE_CELLS = 8
"""Cells of equal weight, or as good as that, without which their average has no error to speak of."""

TASK_POINTS = 2**16
"""Points of one thread's task, at the most. It changes no figure."""
LEAST_TASK_WORK = 2**23
"""Multiply-adds that one thread's task has at least, about 0.2 ms. It changes no figure."""
MOVING_TASK_WORK = 2**20
"""Multiply-adds for the cells of one thread's task of which it is found out whether they can move. It changes no
figure."""

MAX_ENUMERATED_CELLS = 2**12
"""Cells beyond which not every one is visited."""
MAX_LISTED_CELLS = 2**18
"""Cells beyond which those that may keep anything are not looked for."""

PILOT_POINTS_ANYWHERE = 2**14
"""Points of a pilot that fall anywhere in the input range."""
PILOT_CELLS = 256
"""Cells of a pilot."""
MIN_PILOT_CELLS = 64
"""Cells without which their spread says nothing."""

MIN_POINTS_VISITED = 32
"""Points in each cell where every cell is visited, at least."""
MIN_POINTS = 64
"""Points in each cell where cells are drawn, at least."""
MAX_POINTS_A_CELL = 4096
"""Points in each cell, at the most."""

MIN_EVENTS = 64
"""Cells that varied, or samples outside the commonest state, without which an error cannot be judged."""
MIN_KEPT = 2**10
"""Kept samples without which an entropy cannot be judged: which samples are found good enough would then depend on how
they fell, and that is a bias."""
MAX_FOR_EVENTS = 2**18
"""Cells, or points, that are tried at the most for the sake of MIN_EVENTS; half the ceiling for that of MIN_KEPT."""

MAX_TRIED = 2**14
"""Cells of which it is found out whether they can move, where the number of points is given."""

ROUNDS = 64
"""Times m points that are simulated in a cell, at the most, to find m that are kept."""
ROUNDS_OF_GIVEN_POINTS = 8
"""The same where the number of points is given."""
CELLS_TO_FIND = 16
"""Cells found for each that is entered, at the most, where the number of points is given."""

BEYOND_PILOT = 8
"""A pilot is believed about the points that are needed up to so many times its own."""

HOPELESS_COVERAGE = 0.05
"""Coverage of the pilot's output below which bounds are all there will be."""
UNRESOLVED_COVERAGE = 0.7
"""Coverage of a pilot of an eighth of the points below which these will not reach MIN_COVERAGE, as a rule: from 0.69
and 0.71 they reached 0.89 and 0.90."""
DEAR_COVERAGE = 0.85
"""Coverage of such a pilot below which chains find the output's entropy sooner than counting does, where that takes
more than half of the ceiling. From 0.80 it reached 0.93, after 2 seconds in place of 0.5."""
MIN_FOR_HOPELESS = 3 * 2**12
"""Kept samples without which a coverage is not believed to be so low."""
POINTS_FOR_BOUNDS = 2**18
"""Points anywhere, at the most, where bounds are all there will be: they gain little from more."""
HOPELESS_WORK = 2**32
"""Multiply-adds that are spent where bounds are all there will be."""
LEAST_FOR_BOUNDS = 2**12
"""Points anywhere, and points inside cells, that bounds take however wide the layer."""
FEWEST_IF_CEILING = 2**16
"""Ceiling of points up to which LEAST_FOR_BOUNDS points, no two in one state, say that no sample will do."""
BOUNDED_CELLS = 256
"""Cells for a lower bound on H(Y | X), at the most."""
BOUNDED_POINTS_A_CELL = 64
"""Points in each of them, at the least."""
SHARE_FOR_BOUNDS = 0.25
"""Part of a layer's work that a lower bound from some of the outputs may take where a Gaussian is the last resort."""
TOL_OF_BOUNDS = 0.25
"""Bits that stand in for `tol` where some of the outputs are annealed for a lower bound: what is left between the
bounds of all is a hundred times as much."""

MAX_NEW = 0.01
"""Share of a cell's points, at the most, that may be in states which no other point has met, where points run short."""
MIN_SPREAD = 0.05
"""Bits: standard deviation over cells that is assumed at least, since a pilot may have met equal cells by chance."""

CONTROL_WORK = 300
"""Multiply-adds that a control's term of one bin of one output in one cell costs as much as."""

BIAS_SHARE = 0.3
"""Share of `tol` given to the bias of each of the two entropies."""
STDERR_SHARE = 0.75
"""Share of `tol` given to the standard error; what both shares leave is reserve."""

MAX_CONTROL_WORK = 500_000
"""n_in**1.5 * n_out * in_bins up to which the exact mean of the cells' control costs less than it saves."""

KEPT_CHUNK = 2**14
"""Points that are looked at in one go for those that are kept."""

SAFE_COVERAGE = 0.95
"""Coverage above which the entropy of a single output, with its bias and error, is an upper bound."""
MIN_COLLISIONS = 100
"""Pairs of samples in one state from which on the collision entropy is a bound: its margin is then below 0.6 bits."""
OUTPUT_POINTS = 2**14
"""Points anywhere that bound the entropies of single outputs."""
OUTPUT_CELLS = 128
"""Cells that bound the entropies of single outputs inside them."""
OUTPUT_POINTS_A_CELL = 128
"""Points in each of these cells."""
SUBSET_POINTS = 2**17
"""Points anywhere for the EI of a subset of the outputs, which is a lower bound."""
SUBSET_CELLS = 512
"""Cells for the EI of a subset."""
SUBSET_POINTS_A_CELL = 256
"""Points in each of these cells."""
SUBSET_BITS = 13.0
"""Entropy of a subset of the outputs up to which SUBSET_POINTS may count its states well."""
BOUNDS_WORK = 2**33
"""Multiply-adds beyond which bounds of a user's function take fewer points."""
MIN_OUTPUT_POINTS = 2**10
"""Points anywhere that bounds take at least."""
MIN_BOUND_CELLS = 16
"""Cells that bounds take at least."""

KEPT_POINTS = 2**17
"""Kept points anywhere that bounds take where samples are dropped."""
KEPT_CELLS = 512
"""Cells of kept points that bounds take where samples are dropped."""
KEPT_POINTS_A_CELL = 128
"""Kept points in each of these cells."""
KEPT_MAX_POINTS = 2**22
"""Points that are spent, at the most, on finding KEPT_POINTS, and again on finding KEPT_CELLS."""
KEPT_MAX_WORK = 2**32
"""Multiply-adds that are spent on either, at the most."""
KEPT_ROUNDS = 16
"""Times KEPT_POINTS_A_CELL points that are simulated in a cell, at the most, to find so many kept ones."""
SPARE_BITS = 4.0
"""By so much the entropy of a subset is to be less than the log of the kept points that count its states."""

JOINT_POINTS = 2**20
"""Points whose joint states are counted where their number is not given."""
MAX_BYTES = 2**32
"""Memory that counts may take at the most."""
BYTES_A_JOINT_POINT = 3 * 8 + 6 * 16
"""Bytes a point where inputs, outputs and pairs are counted: each takes a key, and a state and a count twice while
parts are joined."""
BYTES_A_STATE = 24
"""Bytes a point where outputs alone are counted."""
JOINT_TASK_POINTS = 2**14
"""Points of one thread's task where joint states are counted. It changes no figure."""

MAX_TABLE_ENTRIES = 2**24
"""in_bins * out_bins, the entries of one edge's exact table, beyond which it is refused: 128 MiB."""
MAX_HISTOGRAM_ENTRIES = 2**25
"""n_in * n_out * in_bins * out_bins beyond which histograms are refused: 128 MiB of counts."""
HISTOGRAM_MAX_POINTS = 2**22
"""Points beyond which `tol` is given up where edges are simulated."""
HISTOGRAM_MAX_WORK = 2**33
"""Multiply-adds beyond which `tol` is given up where edges are simulated."""
HISTOGRAM_PILOT = 2**15
"""Points of the pilot where EI_parts is simulated."""
SENSITIVITY_PILOT = 2**12
"""Points of the pilot where sensitivity is simulated."""
HISTOGRAM_BLOCK = 2**12
"""Samples that are simulated and counted in one go. It changes no figure."""
INFLUENCE_POINTS = 2**12
"""Samples whose influence on the sum is looked at, for its standard error."""
HISTOGRAM_COUNTS_IN_TABLE = 2**12
"""Counts whose term of an estimator is in a table; beyond it log2 stands in."""
HISTOGRAM_DIGAMMAS_IN_TABLE = 2**16
"""Counts whose digamma is in a table; beyond it log2 stands in, which is off by 1 / (2 c ln 2)."""

EI_PARTS_TASK_WORK = 2**12
"""n_in * in_bins * outputs of one thread's task, about 2 ms. It changes no figure."""
SENSITIVITY_TASK_EDGES, SENSITIVITY_TASK_OUTPUTS = 4096, 8
"""Edges of one thread's task, and the outputs that it has at least: the weights of so many are in one line of a cache.
They change no figure."""

MIN_EDGES = 1000
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

SCORE_DRAWS = 16
"""Draws by which a Gaussian's probability of a state is estimated: their noise is then well below what differs from
state to state, and its bias is in both of two figures whose difference is taken."""
INPUTS_AN_OUTPUT = 3
"""Inputs an output from which on the leading term of a Gaussian's divergence is all that matters of it: 0.010 bits for
25 -> 6, where it is right, but 4.3 for 100 -> 100, where it is not."""
PROPAGATION_ROUNDS = 2
"""Rounds of expectation propagation. After 1, 2 and 3 it was 0.5 (1.4), 0.01 to 0.02 (0.1) and 0.001 (0.01) bits from
where it converges for 64 -> 32 tanh (30 -> 60, scale 5)."""
STATES_A_TASK = 64
"""Scored states of one thread's task, at the most; annealed ones are tasks of their own. It changes no figure."""
MIN_TASKS = 16
"""Tasks that a stage of scored states is divided into, at the least."""

TASKS_A_THREAD = 4
"""Tasks for each thread without which the chains of a state are led by several of them. It changes no figure."""
CHAINS, FEWEST_CHAINS = 6, 2
"""Forward chains for each annealed state, to one reverse chain; and where there is no work for so many. For 64 -> 32
tanh, at equal work over 100, 200 and 400 levels, the error was 0.50, 0.17 and 0.15 bits with 1, 0.19, 0.12 and 0.11
with 4, 0.15, 0.12 and 0.11 with 6 and 0.15, 0.12 and 0.12 with 16."""
CHAIN_DRAWS = 32
"""Draws of which one is where a chain begins, at the Gaussian level."""
MIRRORS = 4
"""Rounds of mirror moves at a level. For 100 -> 30, scale 5, gap times seconds was 35, 28, 36 and 45 with 2, 4, 8 and
16."""
NOISE = 0.2
"""Standard deviation of the noise at the Gaussian level, in those of the outputs, where these depend on each other. For
30 -> 60, scale 5, over 100 levels the bounds were 18, 6.2, 2.6, 1.4, 1.0, 2.3 and 3.4 bits apart with 0.05, 0.1, 0.15,
0.2, 0.25, 0.3 and 0.4, and the divergence from the Gaussian least with 0.15 and 0.2."""
MIN_LEVELS = 25
"""Levels of a path, at the least."""
MAX_LEVELS = 3200
"""Levels of a path, at the most."""
MAX_GAP = 2.0
"""Nats between reverse and forward chains above which a pilot doubles the levels: below it the bounds' distance falls
as one over the levels."""
MAX_NATS_BELOW = 30.0
"""Nats below the Gaussian's score at which a chain's weight of 0 is put, since 0 has no log."""
BRACKET_EXPONENT = -0.85
"""With K chains the bounds are K to this power times the gap apart. Measured: 0.53 to 0.67 of it for 2, 0.30 to 0.45
for 4, 0.19 to 0.28 for 6 and 0.14 to 0.23 for 8."""
NOISE_OF_GAP = 1.0
"""Variance, nats**2, of the middle between the bounds, as a part of the gap over the number of chains: 0.7 to 1.2 as
measured. Of normal log weights it would be half."""

ANNEALING_PILOT = 64
"""Scored states of a pilot, which are not used again."""
PROBES = 16
"""Annealed states of a pilot."""
DIVERGENCE_OF_CORRECTION = 0.1
"""Variance of what chains add to expectation propagation, as a part of the variance of what that adds to the score:
0.01 to 0.1 for layers of 6 -> 6 to 100 -> 100. Chains of a pilot are too few, and too noisy, to tell."""
AIMED_FOR = 0.85
"""Part of `tol` that is aimed for: what a pilot foresees is missed as often as not."""
PILOT_SHARE = 0.25
"""Part of a layer's work that its pilot may take."""
PILOT_FIRST = 2**40
"""Number of a pilot's first sample in the streams."""
MIN_ANNEALED = 8
"""States that are annealed for an entropy, at the least."""
MAX_ANNEALED = 128
"""States that are annealed for an entropy, at the most."""
MIN_SCORED = 128
"""States that are scored for an entropy, at the least."""
FEWEST_SCORED, SHORT_PILOT = 32, 16
"""States that are scored for an entropy, and in a pilot of it, where a Gaussian is all there is and work is short: for
1536 -> 384 the standard error is then 0.7 bits of 660, where bounds are 400 apart."""
LAST_RESORT, BESIDE_FEWEST = 3.0, 1.5
"""Times the work of a layer that a Gaussian may take where nothing else gives a figure; and times that of the fewest
scores that it takes, if a layer's work does not suffice for them with samples of their control beside them."""
MAX_SCORED = 2**14
"""States that are scored for an entropy, at the most."""
CONTROLS_A_SCORE = 32
"""Samples that know the mean of a control, for each scored state, at the most."""
ANNEALING_WORK = 2**33
"""Multiply-adds of annealing and scoring, at the most: about two seconds of one core."""
ANNEALING_WORK_OF_EDGE = 3 * 2**20
"""The same for each edge of a layer: what a small layer would gain from more is less than what it costs."""
MIN_ANNEALING_WORK = 5 * 2**29
"""Multiply-adds of annealing and scoring that a layer may take however small it is."""
WORK_OF_REDRAW = 425
"""Multiply-adds of a simulation that it costs to draw an input anew; measured as 0.2 ns each, as are the next four."""
WORK_OF_MIRROR = 75
"""The same for a mirror move."""
WORK_OF_EDGE = 3
"""The same for each edge of an input that is redrawn or mirrored."""
WORK_OF_NOISE = 300
"""The same for the noise of an output that is drawn anew."""
WORK_OF_SITE = 400
"""The same for a site of expectation propagation that is chosen anew."""
WORK_OF_INTERVAL = 400
"""The same for an interval of a normal distribution and a draw from it."""

ONE_OUTPUT_ERROR = 1e-8
"""Bits by which the exact H(Y | X) of a single output may be off, as the decay of its Fourier coefficients tells."""
FEWEST_CENTRES = 2**9
"""Centres of cells at which the entropy of a single output is computed, at first."""
MOST_CENTRES = 2**14
"""The same in the end, where its Fourier series falls slowly: the cells of few inputs, or of one that dominates."""
ONE_OUTPUT_POINTS = 2**16
"""Points that take as long. It changes no figure."""
