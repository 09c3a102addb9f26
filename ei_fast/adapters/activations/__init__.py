"""Activations as models have them: by name, as functions that are tried, or written out in several steps."""
