"""What was not measured, in lines: rooms that show results take it from here."""

from ei_fast.shown.skips import skips_in_lines as skips_in_lines
