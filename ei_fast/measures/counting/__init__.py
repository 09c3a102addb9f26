"""Entropies of counted states."""
