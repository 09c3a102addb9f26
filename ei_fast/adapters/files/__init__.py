"""Files of weights and of models, from strangers too: their content is data, never code."""
