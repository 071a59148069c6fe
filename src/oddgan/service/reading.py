"""From the body of a request to samples, by what it says it is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import Message
from functools import partial
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, TypeVar

import anyio
import anyio.to_thread
import pydantic_core
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from . import images, tables
from .limits import Limits
from .models import Model
from .refusals import Refusal
from .samples import Samples

T = TypeVar("T")

JSON = "application/json"
CSV = "text/csv"
PARQUET = ("application/vnd.apache.parquet", "application/x-parquet")
FORM = "multipart/form-data"

#: Files that are unpacked at a time: work of the processor, and memory.
_unpacking = anyio.CapacityLimiter(4)


async def read(request: Request, model: Model, limits: Limits) -> Samples:
    """Return the samples of a request, checked.

    Raises
    ------
    Refusal
        The body is not what the model, or the service, can read.
    """
    kind = content_type(request)
    if kind == FORM:
        form = await _form(request, limits)
        try:
            files, fields = await _parts(form)
        finally:
            await form.close()
        return await in_thread(_of_form, model, files, fields, limits)
    if model.kind == "image":
        raise Refusal(415, f"model {model.name!r} takes images: send them as {FORM}")
    readers: dict[str, Callable[..., Samples]] = {JSON: _of_json, CSV: _of_csv}
    readers |= dict.fromkeys(PARQUET, _of_parquet)
    if kind not in readers:
        known = ", ".join((JSON, CSV, PARQUET[0], FORM))
        raise Refusal(415, f"the content type {kind!r} is none of {known}")
    return await in_thread(readers[kind], model, await request.body(), limits)


async def in_thread(function: Callable[..., T], *args: Any) -> T:
    """Call a function that takes a while, without keeping other requests waiting."""
    return await anyio.to_thread.run_sync(partial(function, *args), limiter=_unpacking)


def content_type(request: Request) -> str:
    """Return what the body says it is, without parameters such as a charset."""
    message = Message()
    message["content-type"] = request.headers.get("content-type", "")
    return message.get_content_type() if request.headers.get("content-type") else ""


# ---------------------------------------------------------------------------------------- forms

Files = list[tuple[str, bytes]]


async def _form(request: Request, limits: Limits) -> FormData:
    parser = MultiPartParser(
        request.headers, request.stream(), max_files=limits.files, max_fields=8
    )
    try:
        return await parser.parse()
    except MultiPartException as error:
        status = 413 if error.message.startswith("Too many") else 400
        raise Refusal(status, f"the form cannot be read: {error.message}") from error


async def _parts(form: FormData) -> tuple[Files, dict[str, str]]:
    files: Files = []
    fields: dict[str, str] = {}
    for field, value in form.multi_items():
        if not isinstance(value, UploadFile):
            fields[field] = value
        elif field == "files":
            files.append((_clean(value.filename or ""), await value.read()))
        else:
            raise Refusal(422, f"the form has a file in the field {field!r}: put it in 'files'")
    if extra := sorted(fields.keys() - {"condition"}):
        raise Refusal(422, f"the form has a field {extra[0]!r}; there are 'files' and 'condition'")
    if not files:
        raise Refusal(422, "the form has no file in the field 'files'")
    return files, fields


def _clean(name: str) -> str:
    """Return the last part of a file's name, without what cannot be shown."""
    last = PureWindowsPath(PurePosixPath(name).name).name
    return "".join(c for c in last if c.isprintable())[:255] or "unnamed"


def _of_form(model: Model, files: Files, fields: dict[str, str], limits: Limits) -> Samples:
    return (_images if model.kind == "image" else _one_table)(model, files, fields, limits)


def _one_table(model: Model, files: Files, fields: dict[str, str], limits: Limits) -> Samples:
    if len(files) > 1:
        raise Refusal(422, f"model {model.name!r} takes one table at a time, not {len(files)}")
    if fields:
        raise Refusal(422, "the context of a row is in columns of the table, not in a field")
    name, content = files[0]
    readers = {".csv": _of_csv, ".parquet": _of_parquet}
    reader = readers.get(PurePosixPath(name.lower()).suffix)
    if reader is None:
        raise Refusal(415, f"{name}: model {model.name!r} takes a table, a .csv or .parquet file")
    return reader(model, content, limits)


def _images(model: Model, files: Files, fields: dict[str, str], limits: Limits) -> Samples:
    context = None
    with _unreadable():
        if model.context_columns:
            context = _context(model, fields, len(files), limits)
        elif fields:
            raise ValueError(f"model {model.name!r} was fitted without a condition")
    return Samples(images.decoded(files, limits), [name for name, _ in files], context)


def _context(model: Model, fields: dict[str, str], n: int, limits: Limits) -> Any:
    names = ", ".join(model.context_columns)
    if "condition" not in fields:
        raise ValueError(
            f"model {model.name!r} judges by a context ({names}): send in the field 'condition' a "
            "JSON list with an object for each file"
        )
    rows = _json(fields["condition"].encode())
    if not isinstance(rows, list) or len(rows) != n:
        raise ValueError(f"'condition' must be a JSON list with an object for each of {n} files")
    return tables.from_rows(rows, model.context_columns, limits)


# --------------------------------------------------------------------------------------- tables


def _of_json(model: Model, content: bytes, limits: Limits) -> Samples:
    body = _json(content)
    if not isinstance(body, dict) or body.keys() != {"rows"} or not isinstance(body["rows"], list):
        raise Refusal(422, 'the JSON must be {"rows": [{column: value, ...}, ...]}')
    return _checked(model, lambda: tables.from_rows(body["rows"], model.columns, limits))


def _of_csv(model: Model, content: bytes, limits: Limits) -> Samples:
    return _checked(model, lambda: tables.from_csv(content, model.text_columns, limits))


def _of_parquet(model: Model, content: bytes, limits: Limits) -> Samples:
    return _checked(model, lambda: tables.from_parquet(content, limits))


def _json(content: bytes) -> Any:
    try:
        return pydantic_core.from_json(content, allow_inf_nan=False, cache_strings="keys")
    except ValueError as error:
        raise Refusal(400, f"this is no JSON that can be read: {error}") from error


def _checked(model: Model, table: Callable[[], Any]) -> Samples:
    with _unreadable():
        samples = model.split(table())
        model.check(samples)
    return samples


@contextmanager
def _unreadable() -> Iterator[None]:
    """Refuse data that is not as the model expects it."""
    try:
        yield
    except ValueError as error:
        raise Refusal(422, " ".join(str(error).split())) from error
