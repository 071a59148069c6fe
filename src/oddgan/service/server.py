"""Uvicorn around the application."""

import logging
import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from .limits import Limits

_log = logging.getLogger("oddgan.service")


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

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
    # Connections inherit it. asyncio sets it for none of a socket that was made elsewhere, and an
    # answer's body would wait 40 ms for the receipt of its head.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def run(
    app: FastAPI, listening: socket.socket, limits: Limits, started: Callable[[], None]
) -> None:
    """Serve until SIGTERM or SIGINT, and then finish what was started.

    Parameters
    ----------
    app : FastAPI
        What :func:`create_app` returns.
    listening : socket
        What :func:`listen` returns.
    limits : Limits
        Bounds of the application; connections beyond them are refused by Uvicorn itself.
    started : callable
        Called when requests are answered.
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
        # Those beyond `limits.requests` get an answer in JSON; this bounds the connections.
        limit_concurrency=8 * limits.requests + 100,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=int(limits.seconds) + 5,
    )
    Server(config).run(sockets=[listening])
