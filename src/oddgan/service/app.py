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
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from . import answers, description, schemas
from .deadline import Stopped
from .guard import Guard
from .limits import Limits
from .metrics import Metrics
from .models import Model
from .reading import in_thread, read
from .refusals import Refusal, refused
from .samples import Samples
from .worker import Answer, Job, Worker

_STATIC = Path(__file__).parent / "static"


class Service:
    """Models, and the threads that score with them.

    Parameters
    ----------
    models : mapping of str to Model
        By name.
    limits : Limits
        How much may be asked.
    """

    def __init__(self, models: Mapping[str, Model], limits: Limits) -> None:
        self.models, self.limits, self.metrics = models, limits, Metrics()
        self.workers = {name: Worker(model, limits, self.metrics) for name, model in models.items()}

    def close(self) -> None:
        """Finish what was started."""
        for worker in self.workers.values():
            worker.close(self.limits.seconds)

    async def score(self, name: str, request: Request, explain: bool) -> Response:
        """Answer one request for scores."""
        if name not in self.models:
            raise Refusal(404, f"there is no model {name!r}; there are {', '.join(self.models)}")
        model = self.models[name]
        if explain and not model.can("explain"):
            raise Refusal(422, f"model {name!r} cannot explain: ask without explain=true")
        samples = await read(request, model, self.limits)
        if explain and samples.count() > self.limits.explained:
            most = self.limits.explained
            raise Refusal(413, f"explanations are for {most} samples at a time: send fewer")
        answer = await self._answer(model, samples, explain)
        content, n_flagged = await in_thread(answers.body, model, samples, answer)
        self.metrics.answered(name, samples.count(), n_flagged)
        return Response(content, media_type="application/json")

    async def _answer(self, model: Model, samples: Samples, explain: bool) -> Answer:
        seconds = self.limits.seconds
        job = Job(samples, explain, time.monotonic() + seconds)
        self.workers[model.name].submit(job)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(job.answer), seconds)
        except (TimeoutError, Stopped) as error:
            raise Refusal(
                504, f"this took more than {seconds:g} seconds, and was stopped: send fewer samples"
            ) from error
        finally:
            job.abandoned = True


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
        How much may be asked.
    token : str or None
        The bearer token that requests must carry, if any.
    hosts : collection of str or None
        Host names that requests may be addressed to; None: any.
    """
    limits = limits or Limits()
    service = Service(models, limits)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(service.close)

    # FastAPI's own pages of documentation come from another host.
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
    if _STATIC.is_dir():
        app.mount("/", StaticFiles(directory=_STATIC, html=True))
    return app


def _add_routes(app: FastAPI, service: Service) -> None:
    @app.get("/v1/models", response_model=schemas.Models, **description.MODELS)
    async def list_models() -> Any:
        bounds = {name: getattr(service.limits, name) for name in schemas.Bounds.model_fields}
        return {"models": [m.described() for m in service.models.values()], "limits": bounds}

    @app.post("/v1/models/{name}/score", response_model=schemas.Scores, **description.SCORE)
    async def score(name: str, request: Request, explain: bool = False) -> Response:
        return await service.score(name, request, explain)

    def health(wanted: bool) -> Response:
        ready = all(worker.ready for worker in service.workers.values())
        told = schemas.Health(
            status="ok" if ready else "not ready",
            live=True,
            ready=ready,
            models=len(service.models),
        )
        status = 200 if ready or not wanted else 503
        return Response(told.model_dump_json(), status, media_type="application/json")

    @app.get("/health", response_model=schemas.Health, **description.HEALTH)
    async def whole_health() -> Response:
        return health(wanted=True)

    @app.get("/health/live", response_model=schemas.Health, **description.LIVE)
    async def live() -> Response:
        return health(wanted=False)

    @app.get("/health/ready", response_model=schemas.Health, **description.HEALTH)
    async def is_ready() -> Response:
        return health(wanted=True)

    @app.get("/metrics", response_class=Response, **description.METRICS)
    async def metrics() -> Response:
        text = await in_thread(service.metrics.text)
        return Response(text, headers={"Content-Type": service.metrics.content_type})


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    said = {404: "there is nothing at this address", 405: "this address has no such method"}
    message = said.get(error.status_code, str(error.detail))
    return refused(error.status_code, message, error.headers)


async def _bad_parameter(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return refused(422, f"{where}: {first['msg']}")
