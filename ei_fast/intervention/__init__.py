"""do(L1 = H^max): every input neuron set independently and uniformly over its range."""
