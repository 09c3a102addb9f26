"""Bits: what the intervention's counts, or exact geometry, say about a layer."""
