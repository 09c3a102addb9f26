"""Store: the files of a batch's folder, each named here, written whole or not at all; and locks on them."""
