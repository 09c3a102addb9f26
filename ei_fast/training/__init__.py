"""Measures along training: a recorder fills a trajectory."""
