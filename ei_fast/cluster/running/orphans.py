"""Worker processes whose parent was killed: nobody tells them, and they would work on, or wait for minutes."""

import os
import threading
import time

_SECONDS_BETWEEN_LOOKS = 0.5


def end_with_parent(parent: int) -> None:
    """See that this process ends soon after its parent, whose id is given, whatever it is doing then."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        # Files are written whole or not at all, so that nothing needs to be finished.
        os._exit(1)

    threading.Thread(target=watch, name="ei_fast end with parent", daemon=True).start()
