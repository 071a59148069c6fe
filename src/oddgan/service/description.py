"""The API description: OpenAPI, and a page of it that loads nothing from other hosts."""

import importlib.metadata
import json
from pathlib import Path
from typing import Any

import jinja2
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response

from . import schemas

_HERE = Path(__file__).parent
TEXT = (
    "The anomaly score of each sample, its p-value among held-out normal samples, whether it is "
    "flagged, and on request an explanation. Every error is a JSON object with the HTTP status "
    "and one sentence."
)

_ERRORS = {
    400: "The body or a header cannot be read.",
    401: "The token is missing or wrong.",
    403: "The request comes from a page of another site.",
    404: "The model does not exist.",
    408: "The body did not arrive in time.",
    413: "More bytes, rows, columns, files or pixels than the service accepts at a time.",
    415: "This model does not accept the content type.",
    421: "This service does not answer to the host name.",
    422: "The data does not match the model; the message names the cause.",
    500: "The service failed.",
    503: "Busy, or shutting down: try again after the seconds in Retry-After.",
    504: "The request took too long and was stopped.",
}


def _responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {s: {"model": schemas.Error, "description": _ERRORS[s]} for s in statuses}


_binary = {"type": "string", "format": "binary"}
_rows = {
    "type": "object",
    "required": ["rows"],
    "additionalProperties": False,
    "properties": {
        "rows": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "description": "A value for each column; null where it is missing.",
                "additionalProperties": {"type": ["number", "boolean", "string", "null"]},
            },
        }
    },
}
_form = {
    "type": "object",
    "required": ["files"],
    "properties": {
        "files": {
            "type": "array",
            "minItems": 1,
            "items": _binary,
            "description": "Images (PNG, JPEG, TIFF, BMP), or one CSV or Parquet file.",
        },
        "condition": {
            "type": "string",
            "description": "For images with a condition: a JSON list, an object for each file.",
        },
    },
}

MODELS: dict[str, Any] = {
    "summary": "The models that are served",
    "responses": _responses(401, 403, 421),
}
SCORE: dict[str, Any] = {
    "summary": "Score samples",
    "description": "Scores do not depend on other samples in the request, nor on other requests.",
    "responses": _responses(400, 401, 403, 404, 408, 413, 415, 421, 422, 500, 503, 504),
    "openapi_extra": {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": _rows},
                "text/csv": {"schema": {"type": "string"}},
                "application/vnd.apache.parquet": {"schema": _binary},
                "multipart/form-data": {"schema": _form},
            },
        }
    },
}
HEALTH: dict[str, Any] = {
    "summary": "Whether the service accepts requests",
    "responses": {**_responses(403, 421), 503: {"model": schemas.Health}},
}
LIVE: dict[str, Any] = {
    "summary": "Whether the service runs",
    "responses": _responses(403, 421),
}
METRICS: dict[str, Any] = {
    "summary": "Metrics for Prometheus",
    "responses": {
        **_responses(401, 403, 421),
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
    },
}


def version() -> str:
    """Return the version of OddGAN."""
    return importlib.metadata.version("oddgan")


def add_page(app: FastAPI) -> None:
    """Serve a page of the API, generated from its OpenAPI document."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["pretty"] = lambda value: json.dumps(value, indent=2)

    async def page(_: Request) -> Response:
        text = environment.get_template("docs.html.j2").render(api=app.openapi())
        return HTMLResponse(text)

    async def style(_: Request) -> Response:
        return FileResponse(_HERE / "docs.css", media_type="text/css")

    app.add_route("/docs", page, include_in_schema=False)
    app.add_route("/docs.css", style, include_in_schema=False)
