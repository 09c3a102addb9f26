"""Report: how far a batch is, and the results put together."""
