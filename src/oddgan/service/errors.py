"""Error responses of the service: one JSON object, with the right status."""

import json
from collections.abc import Mapping

from starlette.responses import Response


class RequestError(Exception):
    """A request that is refused.

    Parameters
    ----------
    status : int
        HTTP status.
    message : str
        One sentence for the client; it names the cause, but no path of the server.
    headers : mapping, optional
        Headers of the response.
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, dict(headers or {})

    def response(self) -> Response:
        """Return it as a response."""
        return refused(self.status, self.message, self.headers)


def refused(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return the response of a refusal."""
    content = json.dumps({"error": {"status": status, "message": message}})
    return Response(content, status, headers, media_type="application/json")


def busy(message: str) -> RequestError:
    """Return the refusal of a busy service."""
    return RequestError(503, message, {"Retry-After": "1"})
