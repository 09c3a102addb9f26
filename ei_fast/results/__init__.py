"""What a measurement returns: reports, their flags and their tables."""
