"""PyTorch modules: what they do is written down while they run."""
