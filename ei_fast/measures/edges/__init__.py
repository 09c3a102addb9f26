"""The per-edge measures: sensitivity and EI_parts."""
