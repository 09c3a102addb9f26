"""Flax modules and functions of JAX: they are traced, and evaluated step by step."""
