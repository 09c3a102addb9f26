"""What the inputs of a trained layer tell: alone, only together, and once all others are known."""

from sklearn.datasets import load_breast_cancer
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import minmax_scale

import ei_fast as ef

inputs, labels = load_breast_cancer(return_X_y=True)
model = MLPClassifier((6,), activation="logistic", solver="lbfgs", alpha=0.01, max_iter=500, random_state=0)
model.fit(minmax_scale(inputs), labels)

# The inputs are measurements of a tumour, scaled to (0, 1).
layer = ef.as_network(model, in_range=(0.0, 1.0)).layers[0]
profile = ef.information_profile(layer, random_state=0)
print(profile)
print(profile.to_frame().nlargest(3, "conditional_information")[["side", "neuron", "conditional_information"]])
profile.plot().savefig("information_profile.png", dpi=200)
