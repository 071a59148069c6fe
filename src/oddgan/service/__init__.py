"""The HTTP service: fitted models behind a guarded JSON interface with limits, and a web page.

A request passes the `Guard` (host name, origin, token, size, number), is read and checked on
its own (`reading`, `tables`, `images`), waits in the queue of its model's `Worker`, is scored with
other requests, and is answered. Needs the extra ``service``.
"""

from .app import create_app
from .guard import checked_token, is_loopback, loopback_names
from .limits import Limits
from .models import Model, open_models
from .server import listen, run

__all__ = [
    "Limits",
    "Model",
    "checked_token",
    "create_app",
    "is_loopback",
    "listen",
    "loopback_names",
    "open_models",
    "run",
]
