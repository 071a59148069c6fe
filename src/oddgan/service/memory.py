"""Memory of all requests together: bodies and their unpacked content."""

import threading

from .errors import busy


class Memory:
    """A number of bytes that requests share.

    Parameters
    ----------
    limit : int
        Bytes of all requests together.
    """

    def __init__(self, limit: int) -> None:
        self._limit, self._used, self._lock = limit, 0, threading.Lock()

    def take(self, n_bytes: int) -> None:
        """Reserve `n_bytes` bytes.

        Raises
        ------
        RequestError
            Other requests use too much.
        """
        with self._lock:
            if self._used + n_bytes > self._limit:
                raise busy("there is not enough memory for this request now")
            self._used += n_bytes

    def give_back(self, n_bytes: int) -> None:
        """Release `n_bytes` bytes."""
        with self._lock:
            self._used -= n_bytes


class Share:
    """The memory that one request uses.

    Parameters
    ----------
    memory : Memory
        The memory that all requests share.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory, self._n_bytes = memory, 0

    def add(self, n_bytes: int) -> None:
        """Reserve more, or refuse the request (`Memory.take`)."""
        self._memory.take(n_bytes)
        self._n_bytes += n_bytes

    def give_back(self) -> None:
        """Release all of it."""
        self._memory.give_back(self._n_bytes)
        self._n_bytes = 0
