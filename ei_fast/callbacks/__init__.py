"""A recorder inside somebody else's training loop: one file a framework, imported by name."""
