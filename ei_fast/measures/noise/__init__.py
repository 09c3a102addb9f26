"""EI in noise form: the Jacobian of a map, averaged over uniform inputs, against Gaussian noise on its outputs."""
