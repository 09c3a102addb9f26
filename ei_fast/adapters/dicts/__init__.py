"""Layers from dicts of arrays, as frameworks and files name them.

``alike.py`` makes names of all libraries alike, ``naming.py`` takes them apart, ``training.py`` finds what only a
training left there, ``contents.py`` the layers, ``several.py`` and ``copies.py`` the networks, if there are several,
``beside.py`` what else belongs to a layer, ``order.py`` how layers feed each other. ``normed.py`` finds batch norms,
``norms.py`` takes them in, and ``reading.py`` makes layers of all that.
"""
