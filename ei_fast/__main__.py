"""``python -m ei_fast`` is the command ``ei-fast``."""

from ei_fast.cli import main

if __name__ == "__main__":
    main(prog_name="python -m ei_fast")
