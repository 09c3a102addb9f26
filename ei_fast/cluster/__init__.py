"""Runs over many checkpoints, on one machine or as the tasks of a cluster's job."""
