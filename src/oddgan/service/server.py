"""Uvicorn around the application."""

import logging
import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from .limits import Limits

_log = logging.getLogger("oddgan.service")


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Raises
    ------
    OSError
        The address cannot be bound; the message names it.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        raise OSError(f"cannot listen on {host}, port {port}: {error.strerror}") from error
    # Connections inherit it. asyncio does not set it on a socket that it did not create, and a
    # response's body would wait 40 ms for the acknowledgement of its head.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def run(
    app: FastAPI, listening: socket.socket, limits: Limits, started: Callable[[], None]
) -> None:
    """Serve until SIGTERM or SIGINT, then finish pending requests.

    Parameters
    ----------
    app : FastAPI
        What :func:`create_app` returns.
    listening : socket
        What :func:`listen` returns.
    limits : Limits
        Limits of the application; Uvicorn itself refuses connections beyond them.
    started : callable
        Called when the server accepts requests.
    """

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            started()

    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        lifespan="on",
        # Requests beyond `limits.requests` get a JSON response; this limits the connections.
        limit_concurrency=8 * limits.requests + 100,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=int(limits.seconds) + 5,
    )
    Server(config).run(sockets=[listening])
