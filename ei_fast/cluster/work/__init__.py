"""Work: one task from file to result, or a part of a measure that is too large for one job."""
