"""``oddgan serve``."""

import importlib.util
import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from .output import messages

#: What the extra ``service`` brings.
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
            "needed unless the address is of this machine only."
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            help="A host name that requests may be addressed to (may be repeated). On a loopback "
            "address localhost and its like always are; elsewhere, without this, all are."
        ),
    ] = None,
    max_body: Annotated[float, typer.Option(help="MiB of a request's body.")] = 32,
    max_rows: Annotated[int, typer.Option(help="Rows of a request.", min=1)] = 50_000,
    max_files: Annotated[int, typer.Option(help="Files of a request.", min=1)] = 100,
    max_pixels: Annotated[int, typer.Option(help="Pixels of an image.", min=1)] = 25_000_000,
    max_requests: Annotated[int, typer.Option(help="Requests at a time.", min=1)] = 64,
    time_limit: Annotated[float, typer.Option(help="Seconds for an answer.")] = 30,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.")] = None,
) -> None:
    """Serve models over HTTP, with a page to look at samples; Ctrl-C or SIGTERM ends it.

    Every limit but --max-requests and --time-limit is for one request.
    """
    if lacking := [name for name in _NEEDED if importlib.util.find_spec(name) is None]:
        raise ValueError(
            f"oddgan serve needs {lacking[0]}, which is not installed: "
            "run pip install 'oddgan[service]'"
        )
    from oddgan import service  # an optional part, and seconds to import

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
    where = f"http://{address}:{listening.getsockname()[1]}/"
    service.run(app, listening, limits, lambda: messages.print(f"Serving at {where}", markup=False))


def _token(file: Path | None) -> str | None:
    """Return the token of a file, or of the environment."""
    if file is None:
        return os.environ.get("ODDGAN_TOKEN") or None
    return file.read_text(encoding="utf-8").strip()
