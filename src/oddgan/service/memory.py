"""What all requests together may hold: bodies, and what is unpacked of them."""

import threading

from .errors import busy


class Memory:
    """A number of bytes that requests share.

    Parameters
    ----------
    limit : int
        Bytes of all of them.
    """

    def __init__(self, limit: int) -> None:
        self._limit, self._held, self._lock = limit, 0, threading.Lock()

    def take(self, n_bytes: int) -> None:
        """Take so many bytes.

        Raises
        ------
        RequestError
            Other requests hold them.
        """
        with self._lock:
            if self._held + n_bytes > self._limit:
                raise busy("there is not enough memory for this request now")
            self._held += n_bytes

    def give_back(self, n_bytes: int) -> None:
        """Give so many bytes back."""
        with self._lock:
            self._held -= n_bytes


class Share:
    """What one request holds of it.

    Parameters
    ----------
    memory : Memory
        What it is a share of.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory, self._n_bytes = memory, 0

    def add(self, n_bytes: int) -> None:
        """Take more of it, or refuse the request (`Memory.take`)."""
        self._memory.take(n_bytes)
        self._n_bytes += n_bytes

    def give_back(self) -> None:
        """Give all of it back."""
        self._memory.give_back(self._n_bytes)
        self._n_bytes = 0
