"""H(Y) and H(Y | X) of a layer under intervention, each with its error."""
