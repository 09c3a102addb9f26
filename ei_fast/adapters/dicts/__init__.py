"""Layers from dicts of arrays, as frameworks and files name them.

``naming.py`` takes names apart, ``contents.py`` finds the layers by them, ``several.py`` the networks, if there are
more than one, ``beside.py`` what else belongs to a layer, ``order.py`` how layers feed each other, ``norms.py`` takes
batch norms in, and ``reading.py`` makes layers of all that.
"""
