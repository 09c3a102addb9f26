"""What every room may use: threads, files that are written whole, and the cache of compiled kernels."""
