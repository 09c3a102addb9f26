"""What tells whether code is run by several threads at a time."""

import threading


class Crowd:
    """How many threads were inside at the same time, at the most."""

    def __init__(self):
        self._inside, self.most, self._lock = 0, 0, threading.Lock()

    def __enter__(self):
        with self._lock:
            self._inside += 1
            self.most = max(self.most, self._inside)

    def __exit__(self, *error):
        with self._lock:
            self._inside -= 1
