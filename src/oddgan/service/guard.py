"""Checks before the routes: access, limits, and the headers of every response."""

import asyncio
import hashlib
import hmac
import ipaddress
import logging
import time
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect

from .errors import RequestError, busy, refused
from .limits import Limits
from .memory import Memory, Share
from .metrics import Metrics

_log = logging.getLogger("oddgan.service")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

#: Headers of every response: load nothing from other hosts, and allow no framing.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data: blob:; style-src 'self'; object-src 'none'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Guard:
    """ASGI middleware around all routes.

    Parameters
    ----------
    app : ASGI application
        The routes.
    limits : Limits
        Limits of requests.
    metrics : Metrics
        Counts each response.
    token : str or None
        The token that ``/v1`` and ``/metrics`` require.
    hosts : collection of str or None
        Host names that requests may use; None: any. A page of another site whose name resolves
        to this service (DNS rebinding) still sends its own name.
    """

    def __init__(
        self,
        app: App,
        *,
        limits: Limits,
        metrics: Metrics,
        token: str | None,
        hosts: Collection[str] | None,
    ) -> None:
        self._app, self._limits, self._metrics, self._hosts = app, limits, metrics, hosts
        self._token = None if token is None else _digest(f"Bearer {token}".encode())
        self._in_flight = 0
        self._memory = Memory(limits.memory)
        metrics.watch_requests(lambda: self._in_flight)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.perf_counter(), 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _complete(message, scope["path"])
            await send(message)

        try:
            await self._answer(scope, receive, sending)
        finally:
            route = getattr(scope.get("route"), "path", None) or "other"
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.request(route, method, status, time.perf_counter() - start)

    async def _answer(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        is_counted = scope["method"] == "POST"
        share = Share(self._memory)
        scope.setdefault("state", {})["share"] = share
        try:
            headers = Headers(scope=scope)
            self._check(scope["path"], headers)
            if is_counted and self._in_flight >= self._limits.requests:
                raise busy(f"{self._in_flight} requests are in progress")
            self._in_flight += is_counted
            try:
                await self._app(scope, self._bounded(receive, share), sending)
            finally:
                share.give_back()
                self._in_flight -= is_counted
        except RequestError as refusal:
            await refusal.response()(scope, receive, sending)
        except ClientDisconnect:  # no client gets a response, but the request is counted
            await refused(400, "the connection ended before the body")(scope, receive, sending)
        except Exception as error:
            _log.error("a request failed", exc_info=error)
            if started:  # too late for an error; the client sees a truncated response
                raise
            await refused(500, "the service failed; its log says why")(scope, receive, sending)

    def _check(self, path: str, headers: Headers) -> None:
        host = headers.get("host", "")
        if self._hosts is not None and _hostname(host) not in self._hosts:
            raise RequestError(421, f"this service does not answer to the host name {host!r}")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            raise RequestError(403, "pages of other sites may not use this service")
        if path.startswith("/v1") or path == "/metrics":
            self._check_token(headers)
        if headers.get("content-encoding", "identity") != "identity":
            raise RequestError(415, "the body is compressed: send it uncompressed")
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdecimal()):
            raise RequestError(400, "the header Content-Length is not a number")
        if int(length) > self._limits.body:
            raise _too_large(self._limits.body)

    def _check_token(self, headers: Headers) -> None:
        if self._token is None:
            return
        header = headers.get("authorization", "").encode("latin-1", "replace")
        # Digests have one length for any header, and are compared in constant time.
        if not hmac.compare_digest(_digest(header), self._token):
            raise RequestError(
                401,
                "this needs the service's token, as 'Authorization: Bearer TOKEN'",
                {"WWW-Authenticate": "Bearer"},
            )

    def _bounded(self, receive: Receive, share: Share) -> Receive:
        """Limit the bytes and the time of the body as it arrives."""
        until, n_bytes, complete = time.monotonic() + self._limits.upload_seconds, 0, False

        async def receiving() -> Message:
            nonlocal n_bytes, complete
            if complete:  # only the end of the connection may follow
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), until - time.monotonic())
            except TimeoutError as error:
                limit = self._limits.upload_seconds
                raise RequestError(
                    408, f"the body did not arrive within {limit:g} seconds"
                ) from error
            n_bytes += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if n_bytes > self._limits.body:
                raise _too_large(self._limits.body)
            share.add(len(message.get("body", b"")))
            return message

        return receiving


def _too_large(limit: int) -> RequestError:
    return RequestError(413, f"the body is larger than {limit} bytes: send fewer samples at a time")


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()


def _hostname(host: str) -> str:
    """Return the name of a Host header, in lower case and without the port."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _complete(message: Message, path: str) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in HEADERS.items():
        headers[name] = value
    if path.startswith(("/v1", "/health", "/metrics")):
        headers["Cache-Control"] = "no-store"


def is_loopback(host: str) -> bool:
    """Tell whether a host can only be reached from this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def loopback_names(host: str, others: Collection[str] = ()) -> frozenset[str]:
    """Return the names that a service on a loopback address answers to."""
    return frozenset(
        {"localhost", "127.0.0.1", "::1", host.lower(), *(name.lower() for name in others)}
    )


def checked_token(token: str | None, host: str) -> str | None:
    """Return the token, after checking that there is one if needed.

    Raises
    ------
    ValueError
        The service can be reached from other machines and has no token, or a short one.
    """
    if token is None and not is_loopback(host):
        raise ValueError(
            f"{host} can be reached from other machines, so the service needs a token: give "
            "--token-file, or set ODDGAN_TOKEN"
        )
    if token is not None and not (len(token) >= 16 and token.isascii() and token.isprintable()):
        raise ValueError(
            "the token must have 16 or more printable ASCII characters, for example those of "
            "`openssl rand -hex 32`"
        )
    return token
