"""Find: which checkpoints there are, and what their names say of run and step."""
