"""Limits of one request, and of all requests together."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Limits; a request beyond one is refused with the status in brackets.

    Attributes
    ----------
    body : int
        Bytes of a request's body (413).
    rows : int
        Rows of a table (413).
    columns : int
        Columns of a table (413).
    files : int
        Files of an upload (413).
    pixels : int
        Pixels of one image, read from its header before it is decoded (413).
    all_pixels : int
        Pixels of all images of a request together (413).
    memory : int
        Bytes that all requests together may use: bodies and their unpacked content (503).
    explained : int
        Samples with explanations in one request (413).
    requests : int
        Concurrent requests, over all models (503).
    queue : int
        Requests waiting for one model (503).
    seconds : float
        Time from the complete body to the response; work beyond it is stopped (504).
    upload_seconds : float
        Time to send the body (408).
    batch_seconds : float
        How long a request waits to be scored with others when several arrive at a time.
    """

    body: int = 32 * 2**20
    rows: int = 50_000
    columns: int = 10_000
    files: int = 100
    pixels: int = 25_000_000
    all_pixels: int = 100_000_000
    memory: int = 2 * 2**30
    explained: int = 2000
    requests: int = 64
    queue: int = 64
    seconds: float = 30.0
    upload_seconds: float = 60.0
    batch_seconds: float = 0.003
