"""The routes."""

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from . import answers, description, schemas
from .deadline import Stopped
from .errors import RequestError, refused
from .guard import Guard
from .limits import Limits
from .metrics import Metrics
from .models import Model
from .reading import Received, in_thread, receive, samples_of
from .worker import Job, Worker

_STATIC = Path(__file__).parent / "static"
#: Content types of the page's files; browsers must not guess them.
_KINDS = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}


class Service:
    """Models, and the threads that score with them.

    Parameters
    ----------
    models : mapping of str to Model
        By name.
    limits : Limits
        Limits of requests.
    """

    def __init__(self, models: Mapping[str, Model], limits: Limits) -> None:
        self.models, self.limits, self.metrics = models, limits, Metrics()
        self.workers = {name: Worker(model, limits, self.metrics) for name, model in models.items()}

    def open(self) -> None:
        """Accept requests."""
        for worker in self.workers.values():
            worker.open()

    def close(self) -> None:
        """Finish pending requests."""
        for worker in self.workers.values():
            worker.close(self.limits.seconds)

    async def score(self, name: str, request: Request, explain: bool) -> Response:
        """Answer one request for scores."""
        if name not in self.models:
            raise RequestError(
                404, f"there is no model {name!r}; the models are {', '.join(self.models)}"
            )
        model = self.models[name]
        if explain and not model.can("explain"):
            raise RequestError(422, f"model {name!r} cannot explain: ask without explain=true")
        received = await receive(request, model, self.limits)
        seconds = self.limits.seconds
        try:
            async with asyncio.timeout(seconds):
                return await self._answer(model, received, explain)
        except (TimeoutError, Stopped) as error:
            raise RequestError(
                504, f"this took more than {seconds:g} seconds and was stopped: send fewer samples"
            ) from error

    async def _answer(self, model: Model, received: Received, explain: bool) -> Response:
        until = time.monotonic() + self.limits.seconds
        small, worker = received.small, self.workers[model.name]
        samples = await in_thread(samples_of, received, model, self.limits, small=small)
        if explain and samples.count() > self.limits.explained:
            limit = self.limits.explained
            raise RequestError(413, f"explanations are for {limit} samples at a time: send fewer")
        job = Job(samples, explain, until)
        worker.submit(job)
        try:
            answer = await asyncio.wrap_future(job.answer)
        finally:
            job.abandoned = True
        content, n_flagged = await in_thread(answers.body, model, samples, answer, small=small)
        self.metrics.answered(model.name, samples.count(), n_flagged)
        return Response(content, media_type="application/json")


def create_app(
    models: Mapping[str, Model],
    *,
    limits: Limits | None = None,
    token: str | None = None,
    hosts: Collection[str] | None = None,
) -> FastAPI:
    """Return the ASGI application.

    Parameters
    ----------
    models : mapping of str to Model
        What :func:`open_models` returns.
    limits : Limits, optional
        Limits of requests.
    token : str or None
        The bearer token that requests need, if any.
    hosts : collection of str or None
        Host names that requests may use; None: any.
    """
    limits = limits or Limits()
    service = Service(models, limits)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.open()
        yield
        await asyncio.to_thread(service.close)

    # FastAPI's documentation pages load scripts from another host.
    app = FastAPI(
        title="OddGAN",
        version=description.version(),
        description=description.TEXT,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.add_middleware(
        Guard,
        limits=limits,
        metrics=service.metrics,
        token=token,
        hosts=hosts,
    )
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _bad_parameter)
    _add_routes(app, service)
    description.add_page(app)
    _add_page(app)
    return app


def _add_routes(app: FastAPI, service: Service) -> None:
    @app.get("/v1/models", response_model=schemas.Models, **description.MODELS)
    async def list_models() -> Any:
        bounds = {name: getattr(service.limits, name) for name in schemas.Bounds.model_fields}
        return {"models": [m.describe() for m in service.models.values()], "limits": bounds}

    @app.post("/v1/models/{name}/score", response_model=schemas.Scores, **description.SCORE)
    async def score(name: str, request: Request, explain: bool = False) -> Response:
        return await service.score(name, request, explain)

    def health(requires_ready: bool) -> Response:
        ready = all(worker.ready for worker in service.workers.values())
        answer = schemas.Health(
            status="ok" if ready else "not ready",
            live=True,
            ready=ready,
            models=len(service.models),
        )
        status = 200 if ready or not requires_ready else 503
        return Response(answer.model_dump_json(), status, media_type="application/json")

    @app.get("/health", response_model=schemas.Health, **description.HEALTH)
    async def whole_health() -> Response:
        return health(requires_ready=True)

    @app.get("/health/live", response_model=schemas.Health, **description.LIVE)
    async def live() -> Response:
        return health(requires_ready=False)

    @app.get("/health/ready", response_model=schemas.Health, **description.HEALTH)
    async def is_ready() -> Response:
        return health(requires_ready=True)

    @app.get("/metrics", response_class=Response, **description.METRICS)
    async def metrics() -> Response:
        text = await in_thread(service.metrics.text)
        return Response(text, headers={"Content-Type": service.metrics.content_type})


def _add_page(app: FastAPI) -> None:
    """Serve each file of the page at its own address, so that the routes keep theirs."""
    for file in sorted(_STATIC.rglob("*")):
        kind = _KINDS.get(file.suffix)
        if kind is None:
            continue

        async def send(_: Request, file: Path = file, kind: str = kind) -> Response:
            return FileResponse(file, media_type=kind, headers={"Cache-Control": "no-cache"})

        name = file.relative_to(_STATIC).as_posix()
        app.add_route("/" if name == "index.html" else f"/{name}", send, include_in_schema=False)


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    messages = {
        404: "there is nothing at this address",
        405: "this address does not support this method",
    }
    message = messages.get(error.status_code, str(error.detail))
    return refused(error.status_code, message, error.headers)


async def _bad_parameter(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    location = ".".join(str(key) for key in first["loc"])
    return refused(422, f"{location}: {first['msg']}")
