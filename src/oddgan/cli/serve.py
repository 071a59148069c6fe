"""``oddgan serve``."""

import importlib.util
import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from .output import messages

#: Modules that the extra ``service`` installs.
_NEEDED = ("fastapi", "multipart", "prometheus_client", "uvicorn")


def serve(
    models: Annotated[
        list[str], typer.Argument(help="Model files, each named by its file or as NAME=PATH.")
    ],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.", min=0, max=65535)] = 8000,
    token_file: Annotated[
        Path | None,
        typer.Option(
            help="File with the bearer token that requests must carry (or set ODDGAN_TOKEN); "
            "needed unless the address is a loopback address."
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            help="Host name that requests may use (may be repeated). On a loopback address "
            "localhost is always allowed; on other addresses the default is any name."
        ),
    ] = None,
    max_body: Annotated[float, typer.Option(help="Maximum size of a request's body in MiB.")] = 32,
    max_rows: Annotated[int, typer.Option(help="Maximum rows of a request.", min=1)] = 50_000,
    max_files: Annotated[int, typer.Option(help="Maximum files of a request.", min=1)] = 100,
    max_pixels: Annotated[
        int, typer.Option(help="Maximum pixels of an image.", min=1)
    ] = 25_000_000,
    max_requests: Annotated[int, typer.Option(help="Maximum concurrent requests.", min=1)] = 64,
    time_limit: Annotated[float, typer.Option(help="Maximum seconds for a response.")] = 30,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.")] = None,
) -> None:
    """Serve models over HTTP, with a web page to inspect samples; Ctrl-C or SIGTERM stops it.

    All limits except --max-requests and --time-limit are per request.
    """
    if missing := [name for name in _NEEDED if importlib.util.find_spec(name) is None]:
        raise ValueError(
            f"oddgan serve needs {missing[0]}, which is not installed: "
            "run pip install 'oddgan[service]'"
        )
    from oddgan import service  # optional, and takes seconds to import

    if not (max_body > 0 and time_limit > 0):
        raise ValueError("--max-body and --time-limit must be above 0")
    limits = replace(
        service.Limits(),
        body=int(max_body * 2**20),
        rows=max_rows,
        files=max_files,
        pixels=max_pixels,
        requests=max_requests,
        seconds=time_limit,
    )
    token = service.checked_token(_token(token_file), host)
    hosts = frozenset(name.lower() for name in allow_host or ()) or None
    if service.is_loopback(host):
        hosts = service.loopback_names(host, allow_host or ())
    app = service.create_app(
        service.open_models(models, device), limits=limits, token=token, hosts=hosts
    )
    listening = service.listen(host, port)
    address = f"[{host}]" if ":" in host else host
    url = f"http://{address}:{listening.getsockname()[1]}/"
    service.run(app, listening, limits, lambda: messages.print(f"Serving at {url}", markup=False))


def _token(file: Path | None) -> str | None:
    """Return the token of a file, or of the environment."""
    if file is None:
        return os.environ.get("ODDGAN_TOKEN") or None
    return file.read_text(encoding="utf-8").strip()
