"""What is measured: bins, activations as step functions, layers and networks."""
