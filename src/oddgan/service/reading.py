"""Read the body of a request into samples, by content type."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from functools import partial
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, TypeVar

import anyio
import anyio.to_thread
import pyarrow as pa
import pydantic_core
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from . import images, tables
from .errors import RequestError
from .limits import Limits
from .memory import Share
from .models import Model
from .samples import Samples

T = TypeVar("T")

JSON = "application/json"
CSV = "text/csv"
PARQUET = "application/vnd.apache.parquet"
FORM = "multipart/form-data"
_TABLES = {".csv": CSV, ".parquet": PARQUET, ".pq": PARQUET}
#: Approximate bytes in memory for a byte of JSON.
_PER_BYTE = 16

#: JSON up to this many bytes is read faster than it is handed to another thread.
_SMALL = 2**14

#: Bodies that are unpacked at a time, which takes processor time and memory.
_unpacking = anyio.CapacityLimiter(4)


async def in_thread(function: Callable[..., T], *args: Any, small: bool = False) -> T:
    """Call a function, in a thread unless its work is `small`, to keep others from waiting."""
    if small:
        return function(*args)
    call = partial(function, *args)
    return await anyio.to_thread.run_sync(call, limiter=_unpacking, abandon_on_cancel=True)


# ----------------------------------------------------------------------------------------- body


@dataclass(frozen=True)
class Received:
    """A body that has arrived.

    Attributes
    ----------
    kind : str
        The content type of a table; `FORM` for images.
    content : bytes
        The table.
    files : list of (str, bytes)
        Name and content of the images.
    fields : dict of str to str
        Other fields of the form.
    share : Share
        The request's share of memory.
    """

    kind: str
    share: Share
    content: bytes = b""
    files: list[tuple[str, bytes]] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def small(self) -> bool:
        """Whether it is quick to read."""
        return self.kind == JSON and len(self.content) <= _SMALL


async def receive(request: Request, model: Model, limits: Limits) -> Received:
    """Wait for the body of a request, if the model accepts its content type.

    Raises
    ------
    RequestError
        The content type is not accepted (415), or the form cannot be read (400, 413, 422).
    """
    kind, share = _content_type(request), request.state.share
    if kind == FORM:
        form = await _form(request, limits)
        try:
            files, fields = await _parts(form)
        finally:
            await form.close()
        if model.kind == "image":
            return Received(FORM, share, files=files, fields=fields)
        return _one_table(model, files, fields, share)
    if model.kind == "image":
        raise RequestError(415, f"model {model.name!r} takes images: send them as {FORM}")
    if kind not in (JSON, CSV, PARQUET):
        kinds = f"{JSON}, {CSV}, {PARQUET}, {FORM}"
        raise RequestError(415, f"the content type {kind!r} is not one of {kinds}")
    return Received(kind, share, await request.body())


def _content_type(request: Request) -> str:
    """Return the content type, without parameters like the charset."""
    header = request.headers.get("content-type", "")
    message = Message()
    message["content-type"] = header
    return message.get_content_type() if header else ""


class _Form(MultiPartParser):
    """A form that records whether it is complete; a truncated form would lose files."""

    complete = False

    def on_end(self) -> None:
        self.complete = True


async def _form(request: Request, limits: Limits) -> FormData:
    stream = request.stream()
    parser = _Form(request.headers, stream, max_files=limits.files, max_fields=8)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        status = 413 if error.message.startswith("Too many") else 400
        raise RequestError(status, f"the form cannot be read: {error.message}") from error
    if not parser.complete:
        await form.close()
        raise RequestError(400, "the form is truncated: its last boundary is missing")
    return form


async def _parts(form: FormData) -> tuple[list[tuple[str, bytes]], dict[str, str]]:
    files: list[tuple[str, bytes]] = []
    fields: dict[str, str] = {}
    for name, value in form.multi_items():
        if not isinstance(value, UploadFile):
            fields[name] = value
        elif name == "files":
            files.append((_clean(value.filename or ""), await value.read()))
        else:
            raise RequestError(422, f"the form has a file in the field {name!r}: put it in 'files'")
    if unknown := sorted(fields.keys() - {"condition"}):
        raise RequestError(
            422, f"the form has a field {unknown[0]!r}; there are 'files' and 'condition'"
        )
    if not files:
        raise RequestError(422, "the form has no file in the field 'files'")
    return files, fields


def _clean(name: str) -> str:
    """Return a file's base name, without unprintable characters."""
    base = PureWindowsPath(PurePosixPath(name).name).name
    return "".join(c for c in base if c.isprintable())[:255] or "unnamed"


def _one_table(
    model: Model, files: list[tuple[str, bytes]], fields: dict[str, str], share: Share
) -> Received:
    if len(files) > 1:
        raise RequestError(422, f"model {model.name!r} takes one table at a time, not {len(files)}")
    if fields:
        raise RequestError(422, "the condition of a row is in columns of the table, not in a field")
    name, content = files[0]
    kind = _TABLES.get(PurePosixPath(name.lower()).suffix)
    if kind is None:
        raise RequestError(
            415, f"{name}: model {model.name!r} takes a table, a .csv or .parquet file"
        )
    return Received(kind, share, content)


# ------------------------------------------------------------------------------------- samples


def samples_of(received: Received, model: Model, limits: Limits) -> Samples:
    """Return the samples of a body, checked on their own before they are batched with others.

    Raises
    ------
    RequestError
        They are too many (413), or not what the model expects (400, 422); or there is not enough
        memory for them now (503).
    """
    with _unreadable():
        if received.kind == FORM:
            samples = _images(received, model, limits)
        else:
            samples = model.split(_table(received, model, limits))
        model.check(samples)
        return samples


@contextmanager
def _unreadable() -> Iterator[None]:
    """Refuse data that is not what the model expects."""
    try:
        yield
    except ValueError as error:
        raise RequestError(422, " ".join(str(error).split())) from error


def _table(received: Received, model: Model, limits: Limits) -> pa.Table:
    if received.kind == CSV:
        table = tables.from_csv(received.content, model.text_columns, limits)
    elif received.kind == PARQUET:
        return tables.from_parquet(received.content, limits, received.share)
    else:
        received.share.add(_PER_BYTE * len(received.content))
        body = _json(received.content)
        if not (isinstance(body, dict) and isinstance(body.get("rows"), list) and len(body) == 1):
            raise ValueError('the JSON must be {"rows": [{column: value, ...}, ...]}')
        table = tables.from_rows(body["rows"], model.columns, limits)
    received.share.add(table.nbytes)
    return table


def _images(received: Received, model: Model, limits: Limits) -> Samples:
    conditions = None
    if model.condition_columns:
        conditions = _conditions(received, model, limits)
    elif received.fields:
        raise ValueError(f"model {model.name!r} was fitted without a condition")
    raw = images.decode(received.files, limits, received.share)
    return Samples(raw, [name for name, _ in received.files], conditions)


def _conditions(received: Received, model: Model, limits: Limits) -> pa.Table:
    if "condition" not in received.fields:
        raise ValueError(
            f"model {model.name!r} needs a condition ({', '.join(model.condition_columns)}): send "
            "in the field 'condition' a JSON list with an object for each file"
        )
    rows, n = _json(received.fields["condition"].encode()), len(received.files)
    if not isinstance(rows, list) or len(rows) != n:
        raise ValueError(f"'condition' must be a JSON list with an object for each of {n} files")
    return tables.from_rows(rows, model.condition_columns, limits)


def _json(content: bytes) -> Any:
    try:
        return pydantic_core.from_json(content, allow_inf_nan=False, cache_strings="keys")
    except ValueError as error:
        raise RequestError(400, f"the JSON cannot be read: {error}") from error
