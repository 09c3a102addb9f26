"""What layers tell of uniform inputs, of inputs drawn from the histograms of what they met, and of what they met."""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

import ei_fast as ef

images, labels = load_digits(return_X_y=True)
# 4 x 4 pixels, each the mean of four.
activations = images.reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4)).reshape(-1, 16) / 16
model = MLPClassifier((4, 4), activation="logistic", learning_rate_init=0.02, alpha=0.0, random_state=0)
for _ in range(60):
    model.partial_fit(activations, labels, classes=np.unique(labels))

figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
for number, layer in enumerate(list(ef.as_network(model))[:2]):
    histograms = ef.input_histograms(activations)
    found = {
        "do(uniform)": ef.effective_information(layer, random_state=0),
        "do(histograms)": ef.effective_information(layer, in_distribution=histograms, random_state=0),
        "observed": ef.observed_information(layer, activations, random_state=0),
    }
    for k, (name, one) in enumerate(found.items()):
        print(f"{layer.name}, {name}: {one.value:.2f} bits, {one.interval[0]:.2f} to {one.interval[1]:.2f}")
        below, above = one.value - one.interval[0], one.interval[1] - one.value
        place = number + 0.25 * (k - 1)
        label = name if number == 0 else None
        axes.bar(
            number + 0.25 * (k - 1), one.value, 0.22, yerr=[[below], [above]], capsize=3, color=f"C{k}", label=label
        )
    activations = layer(activations)
axes.set(xticks=[0, 1], xticklabels=["16 \u2192 4", "4 \u2192 4"], ylabel="bits", ylim=(0, 8.5))
axes.legend(loc="upper left", ncols=3)
figure.savefig("inputs.png", dpi=200)
