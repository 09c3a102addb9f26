"""Layers put together of operations that a model was seen to do."""
