"""Plan: what a batch is, which ranges its runs share, what it is expected to take, and which shard does what."""
