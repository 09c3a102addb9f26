"""Keras models on any backend: what they do is asked of Keras, on symbolic tensors."""
