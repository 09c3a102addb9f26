"""The four observations that the first videos of the causal plane led to, each tested on trajectories."""
