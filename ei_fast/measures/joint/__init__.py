"""The joint EI of a layer, or of a group of its neurons."""
