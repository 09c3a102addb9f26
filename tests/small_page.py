"""A page of two small networks, made by a process of its own, so that it can be killed."""

import sys
from dataclasses import replace

import ei_fast.demo.pages
from ei_fast.demo import page
from ei_fast.demo.trainings import TRAININGS as OF_THE_PAGE

TRAININGS = tuple(
    replace(one, epochs=200, every=10, n_seeds=3, counted_samples=(2000, 5000))
    for one in OF_THE_PAGE
    if one.name in ("iris", "iris-overfit")
)

if __name__ == "__main__":
    ei_fast.demo.pages.TRAININGS = TRAININGS
    page(sys.argv[1], n_jobs=2)
