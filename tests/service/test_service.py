"""The service: the same scores as offline, in any batch; errors with clear messages."""

import asyncio
import base64
import importlib.util
import io
import itertools
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from anyio.from_thread import start_blocking_portal
from PIL import Image

import oddgan
from oddgan import VAE, AnoGAN, OddGAN, cli
from oddgan.service import (
    Limits,
    Model,
    checked_token,
    create_app,
    guard,
    loopback_names,
    open_models,
)
from oddgan.service.models import parse_spec
from oddgan.service.server import listen
from oddgan.service.worker import Worker
from support.data import make_images, make_table, quick

SMALL = Limits(rows=60, columns=40, files=5, pixels=400, all_pixels=1000, body=20_000, explained=9)


def make_payments(n=120):
    """Return rows with text, numbers, booleans and gaps."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "city": rng.choice(["Oslo", "Rome"], n),
            "amount": rng.lognormal(3, 1, n),
            "hour": np.where(rng.random(n) < 0.1, np.nan, rng.integers(0, 24, n)),
            "member": rng.random(n) < 0.5,
        }
    )


@pytest.fixture(scope="module")
def payments():
    return make_payments()


@pytest.fixture(scope="module")
def models(payments):
    """A table with names, one without, and images."""
    fitted = {
        "payments": quick(VAE, calibration_fraction=0.2).fit(payments),
        "rows": quick(OddGAN, max_steps=3, width=None, latent_dim=None).fit(make_table()),
        "blobs": quick(VAE).fit(make_images()),
    }
    return {name: Model(name, detector) for name, detector in fitted.items()}


@pytest.fixture
def gate(models, monkeypatch):
    """Block the scoring of all models until this event is set."""
    gate = threading.Event()

    def wait(scores, samples):
        assert gate.wait(20)
        return scores(samples)

    for model in models.values():
        monkeypatch.setattr(model, "scores", partial(wait, model.scores))
    yield gate
    gate.set()


@pytest.fixture
def open_gate_after(gate, monkeypatch):
    """Return a function that opens the gate after `n` requests were queued or rejected as busy."""

    def open_after(n):
        calls = itertools.count(1)

        def counted(function):
            def call(*args):
                try:
                    return function(*args)
                finally:
                    if next(calls) == n:
                        gate.set()

            return call

        monkeypatch.setattr(Worker, "submit", counted(Worker.submit))
        monkeypatch.setattr(guard, "busy", counted(guard.busy))

    return open_after


@pytest.fixture(scope="module")
def portal():
    """One event loop for all requests."""
    with start_blocking_portal() as portal:
        yield portal


@pytest.fixture(scope="module")
def ask(portal):
    """Return a function that sends requests to an application, all at once."""

    def send(app, *requests):
        async def send_all():
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as c:
                return await asyncio.gather(*(c.request(*r[:2], **r[2]) for r in requests))

        answers = portal.call(send_all)
        return answers if len(answers) > 1 else answers[0]

    return send


@pytest.fixture(scope="module")
def app(models):
    return create_app(models)


def post(model, query="", **options):
    return "POST", f"/v1/models/{model}/score{query}", options


def rows_of(frame):
    """Return rows as JSON has them."""
    known = frame.astype(object).where(frame.notna(), None)
    return {"json": {"rows": known.to_dict("records")}}


def csv_of(frame):
    return {"content": frame.to_csv(index=False), "headers": {"content-type": "text/csv"}}


def parquet_of(frame):
    file = io.BytesIO()
    frame.to_parquet(file)
    return {"content": file.getvalue(), "headers": {"content-type": PARQUET}}


def png_of(array):
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


def upload(*files):
    return {"files": [("files", file) for file in files]}


def images_of(arrays):
    return upload(*((f"{i}.png", png_of(array)) for i, array in enumerate(arrays)))


def scores_in(answer):
    assert answer.status_code == 200, answer.text
    return [sample["anomaly_score"] for sample in answer.json()["samples"]]


# ------------------------------------------------------------------------------------- answers


def test_batched_requests_have_the_same_scores_as_alone(ask, models, payments, open_gate_after):
    """Bit for bit, of tables in every form and of images, with bad requests among them."""
    app = create_app(models, limits=Limits(requests=99))
    images = make_images()
    table = pd.DataFrame(make_table(), columns=["x0", "x1", "x2", "x3"])
    wanted, requests = [], []
    for start, form in zip(range(0, 120, 10), [rows_of, csv_of, parquet_of] * 4, strict=True):
        part = payments[start : start + 10]
        requests += [post("payments", **form(part)), post("rows", **form(table[start : start + 3]))]
        wanted += [models["payments"].detector.anomaly_score(part)]
        wanted += [models["rows"].detector.anomaly_score(table[start : start + 3].to_numpy())]
        requests += [post("blobs", **images_of(images[start : start + 2]))]
        wanted += [models["blobs"].detector.anomaly_score(images[start : start + 2])]
    bad = [
        post("payments", **rows_of(payments[:3].assign(amount=None))),
        post("blobs", **images_of([images[0].astype(np.uint16)])),
        post("rows", **csv_of(table[:3].assign(x0="red"))),
    ]
    mixed = [request for i, request in enumerate(requests) for request in (request, bad[i % 3])]
    open_gate_after(len(requests))
    answers = ask(app, *mixed)
    for scores, good, refused in zip(wanted, answers[::2], answers[1::2], strict=True):
        assert scores_in(good) == scores.tolist()
        assert refused.status_code == 422
    metrics = ask(app, ("GET", "/metrics", {})).text
    for name in models:
        n_batches = re.search(rf'oddgan_batch_requests_count{{model="{name}"}} (\d+)', metrics)[1]
        assert int(n_batches) < 12, "no two requests were scored together"
    assert f'oddgan_samples_total{{model="payments"}} {len(payments)}.0' in metrics


def test_decisions_are_those_of_the_detector(ask, app, models, payments):
    detector = models["payments"].detector
    odd = payments.assign(amount=np.where(np.arange(120) < 60, 1e9, payments["amount"]))
    answer = ask(app, post("payments", **csv_of(odd))).json()
    samples = pd.DataFrame(answer["samples"])
    np.testing.assert_array_equal(samples["p_value"], detector.p_value(odd))
    np.testing.assert_array_equal(samples["flagged"], detector.predict(odd) == -1)
    assert samples["sample"].tolist() == list(range(120))
    assert answer["flagged"] == samples["flagged"].sum() >= 60
    assert (answer["n"], answer["threshold"], answer["kind"]) == (120, detector.threshold_, "table")
    assert "probability" not in samples
    assert samples["explanation"].isna().all()


def test_rows_are_explained_column_by_column(ask, app, models, payments):
    explanation = models["payments"].detector.explain(payments[:4])
    contributions, expected = np.asarray(explanation), explanation.expected
    answer = ask(app, post("payments", "?explain=true", **rows_of(payments[:4]))).json()
    names = list(payments.columns)
    for i, sample in enumerate(answer["samples"]):
        columns = sample["explanation"]["contributions"]
        sizes = [column["contribution"] for column in columns]
        assert sizes == sorted(sizes, reverse=True)
        for column in columns:
            j = names.index(column["column"])
            assert column["contribution"] == contributions[i, j]
            for key, frame in (("value", payments), ("expected", expected)):
                missing = column[key] is None and pd.isna(frame.iloc[i, j])
                assert missing or column[key] == frame.iloc[i, j]


def test_images_are_explained_by_a_map(ask, app, models):
    images = make_images()[:3]
    images[0, 2:6, 2:6] = 255
    explanation = models["blobs"].detector.explain(images)
    masks, maps = explanation.anomaly_mask, explanation.anomaly_map
    assert masks[0].any()
    answer = ask(app, post("blobs", "?explain=true", **images_of(images))).json()
    assert [sample["sample"] for sample in answer["samples"]] == ["0.png", "1.png", "2.png"]
    for sample, anomaly_map, mask in zip(answer["samples"], maps, masks, strict=True):
        result = sample["explanation"]
        pixels = np.asarray(decode(result["map"]))
        assert pixels.shape == (result["height"], result["width"]) == (8, 10)
        peak = result["max"]
        np.testing.assert_allclose(pixels / 255 * peak, anomaly_map, atol=peak / 400)
        assert result["pixel_threshold"] == explanation.pixel_threshold
        np.testing.assert_array_equal(np.asarray(decode(result["mask"])) == 255, mask)
        assert decode(result["reconstruction"]).size == (10, 8)


def decode(url):
    """Return the image in a data URL."""
    head, content = url.split(",")
    assert head == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(content)))


def test_images_of_several_sizes_have_maps_of_their_own_size(ask, tmp_path):
    """Of a model that sees images whole, and of one that cuts them."""
    images = [np.tile(image, (2, 2)) for image in make_images()[:12]]
    for i, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    whole = quick(VAE, max_steps=3).fit(tmp_path)
    cut = quick(VAE, max_steps=3, patch_size=8, stride=4).fit(tmp_path)
    app = create_app({"whole": Model("whole", whole), "cut": Model("cut", cut)})
    sizes = [(16, 20), (12, 20), (30, 17)]
    request = upload(*((f"{h}.png", png_of(np.full((h, w), 9, np.uint8))) for h, w in sizes))
    for i, (h, w) in enumerate(sizes):
        (tmp_path / "new").mkdir(exist_ok=True)
        Image.fromarray(np.full((h, w), 9, np.uint8)).save(tmp_path / "new" / f"{i}.png")
    for name, detector in {"whole": whole, "cut": cut}.items():
        answer = ask(app, post(name, "?explain=true", **request))
        assert scores_in(answer) == detector.anomaly_score(tmp_path / "new").tolist()
        maps = [sample["explanation"] for sample in answer.json()["samples"]]
        assert [(result["height"], result["width"]) for result in maps] == sizes


def test_a_table_is_uploaded_as_a_file_too(ask, app, payments):
    alone, as_file = ask(
        app,
        post("payments", **csv_of(payments)),
        post("payments", **upload(("New.CSV", payments.to_csv(index=False).encode()))),
    )
    assert scores_in(alone) == scores_in(as_file)


def test_columns_are_found_by_name_in_any_order(ask, app, models, payments):
    other = payments[["member", "hour", "city", "amount"]]
    for form in (rows_of, csv_of, parquet_of):
        scores = scores_in(ask(app, post("payments", **form(other))))
        assert scores == models["payments"].detector.anomaly_score(payments).tolist()


def test_the_condition_is_in_the_rows_or_sent_with_the_images(ask, payments):
    images = make_images()[:60]
    of_columns = quick(VAE, max_steps=3).fit(payments, condition=["city"])
    apart = quick(VAE, max_steps=3).fit(payments.drop(columns="city"), condition=payments[["city"]])
    of_images = quick(VAE, max_steps=3).fit(images, condition=["even", "odd"] * 30)
    fitted = {"columns": of_columns, "apart": apart, "images": of_images}
    app = create_app({name: Model(name, detector) for name, detector in fitted.items()})
    condition = json.dumps([{"c0": "odd"}, {"c0": "even"}])
    one, two, three, without = ask(
        app,
        post("columns", **rows_of(payments[:9])),
        post("apart", **csv_of(payments[:9])),
        post("images", **images_of(images[:2]), data={"condition": condition}),
        post("images", **images_of(images[:2])),
    )
    assert scores_in(one) == of_columns.anomaly_score(payments[:9]).tolist()
    beside = apart.anomaly_score(payments[:9].drop(columns="city"), condition=payments["city"][:9])
    assert scores_in(two) == beside.tolist()
    expected = of_images.anomaly_score(images[:2], condition=["odd", "even"])
    assert scores_in(three) == expected.tolist()
    assert without.status_code == 422
    assert "condition (c0)" in without.json()["error"]["message"]


def test_probabilities_are_returned_by_calibrated_models(ask, payments):
    detector = quick(VAE, max_steps=3).fit(payments)
    labels = np.arange(120) % 2
    detector.calibrate_proba(payments.assign(amount=10.0 ** (labels + 1)), labels)
    app = create_app({"m": Model("m", detector)})
    samples = ask(app, post("m", **csv_of(payments))).json()["samples"]
    expected = detector.predict_proba(payments)[:, 1]
    assert [sample["probability"] for sample in samples] == expected.tolist()


# ------------------------------------------------------------------------------------ refusals

ROW = {"city": "Oslo", "amount": 1.0, "hour": 2, "member": True}
TEXT = b"city,amount,hour,member\nRome,a,1,true\n"
PNG = png_of(make_images()[0])
FORM = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\nx\r\n--b--\r\n'
FORM_KIND = "multipart/form-data; boundary=b"
PARQUET = "application/vnd.apache.parquet"
BOMB = pa.table({"city": pa.array(["x" * 9000] * 50), "amount": [1.0] * 50})


def of_bytes(content, kind="application/json"):
    return {"content": content, "headers": {"content-type": kind}}


def bomb():
    """Return a small Parquet file of texts that are 450,000 characters together."""
    file = io.BytesIO()
    pq.write_table(BOMB, file)
    return of_bytes(file.getvalue(), PARQUET)


REFUSED = {
    "no such model": (post("other", json={"rows": [ROW]}), 404, "no model 'other'"),
    "cut JSON": (post("payments", **of_bytes(b'{"rows": [')), 400, "JSON"),
    "deep JSON": (post("payments", **of_bytes(b"[" * 9999)), 400, "JSON"),
    "NaN": (post("payments", **of_bytes(b'{"rows": [{"amount": NaN}]}')), 400, "JSON"),
    "half a character": (post("payments", **of_bytes(b'{"rows": ["\\ud800"]}')), 400, "JSON"),
    "infinity": (
        post("payments", **of_bytes(json.dumps({"rows": [ROW]}).replace("1.0", "1e999").encode())),
        422,
        "infinity",
    ),
    "huge": (post("payments", json={"rows": [{**ROW, "amount": 10**400}]}), 422, "too large"),
    "no rows": (post("payments", json={"rows": []}), 422, "no rows"),
    "a list": (post("payments", json=[ROW]), 422, '"rows"'),
    "no object": (post("payments", json={"rows": [3]}), 422, "row 0"),
    "text": (post("payments", json={"rows": [{**ROW, "amount": "a"}]}), 422, "'amount', row 0"),
    "number": (post("payments", json={"rows": [{**ROW, "city": 3}]}), 422, "'city', row 0"),
    "nested": (post("payments", json={"rows": [{**ROW, "city": [1]}]}), 422, "a list"),
    "gap": (post("payments", json={"rows": [{**ROW, "amount": None}]}), 422, "missing value"),
    "extra": (post("payments", json={"rows": [{**ROW, "z": 1}]}), 422, "'z'"),
    "missing": (post("payments", json={"rows": [ROW, {"city": "Oslo"}]}), 422, "row 1"),
    "CSV text": (post("payments", **of_bytes(TEXT, "text/csv")), 422, "'amount'"),
    "CSV without rows": (post("payments", **of_bytes(b"city,amount\n", "text/csv")), 422, "rows"),
    "CSV cut": (post("payments", **of_bytes(b"a,b\n1\n", "text/csv")), 422, "the CSV table"),
    "empty CSV": (post("payments", **of_bytes(b"", "text/csv")), 422, "the CSV table"),
    "no UTF-8": (post("payments", **of_bytes(b"city,amount\n\xff\xfe,1\n", "text/csv")), 422, ""),
    "no Parquet": (post("payments", **of_bytes(b"PAR1", PARQUET)), 422, "Parquet"),
    "another kind": (post("payments", **of_bytes(b"x", "text/plain")), 415, "text/plain"),
    "no kind": (post("payments", content=b"x"), 415, "content type"),
    "zipped": (post("payments", headers={"content-encoding": "gzip"}), 415, "compressed"),
    "no boundary": (post("payments", **of_bytes(b"x", "multipart/form-data")), 400, "boundary"),
    "cut form": (post("blobs", **of_bytes(FORM[:-9], FORM_KIND)), 400, "truncated"),
    "no form": (post("blobs", **of_bytes(b"x", FORM_KIND)), 400, "form"),
    "no file": (post("blobs", data={"condition": "[]"}, files={"more": b""}), 422, "'files'"),
    "a zip": (post("payments", **upload(("a.zip", b"PK"))), 415, "a.zip"),
    "two tables": (post("payments", **upload(("a.csv", b""), ("b.csv", b""))), 422, "one table"),
    "rows for images": (post("blobs", json={"rows": [ROW]}), 415, "images"),
    "garbage": (post("blobs", **upload(("a.png", b"garbage"))), 422, "a.png"),
    "SVG": (post("blobs", **upload(("a.png", b"<svg/>"))), 422, "a.png"),
    "cut image": (post("blobs", **upload(("a.png", PNG[:60]))), 422, "damaged"),
    "odd name": (post("blobs", **upload(("../../etc/pass\x07wd", b"x"))), 422, "pass%07wd: "),
    "context": (
        post("blobs", **upload(("a.png", PNG)), data={"condition": "[]"}),
        422,
        "without a condition",
    ),
    "wrong method": (("PUT", "/v1/models", {}), 405, "method"),
    "nowhere": (("GET", "/etc/passwd", {}), 404, "nothing"),
    "up": (("GET", "/%2e%2e/app.py", {}), 404, "nothing"),
    "no boolean": (post("payments", "?explain=perhaps", json={"rows": [ROW]}), 422, "explain"),
    "another host": (("GET", "/v1/models", {"headers": {"host": "evil.example"}}), 421, "evil"),
    "another site": (
        post("payments", json={"rows": [ROW]}, headers={"origin": "http://evil.example"}),
        403,
        "other sites",
    ),
    "rows": (post("payments", json={"rows": [ROW] * 61}), 413, "60 rows"),
    "CSV rows": (post("payments", **of_bytes(b"a\n" + b"1\n" * 61, "text/csv")), 413, "60 rows"),
    "Parquet rows": (post("payments", **parquet_of(make_payments(61))), 413, "60 rows"),
    "columns": (post("payments", **of_bytes(b"," * 40 + b"\n", "text/csv")), 413, "41 columns"),
    "a bomb of text": (post("payments", **bomb()), 413, "unpacks"),
    "files": (post("blobs", **images_of(make_images()[:6])), 413, "files"),
    "pixels": (post("blobs", **images_of([np.zeros((21, 20), np.uint8)])), 413, "420 pixels"),
    "all pixels": (post("blobs", **images_of([np.zeros((18, 20), np.uint8)] * 3)), 413, "1080"),
    "explanations": (post("payments", "?explain=1", **csv_of(make_payments(10))), 413, "9 samples"),
    "body": (post("payments", json={"rows": [{**ROW, "city": "x" * 20_000}]}), 413, "20000 bytes"),
}  # fmt: skip


@pytest.fixture(scope="module")
def small_app(models):
    return create_app(models, limits=SMALL, hosts=loopback_names("127.0.0.1"))


@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_is_one_sentence_with_the_right_status(ask, small_app, case):
    request, status, piece = REFUSED[case]
    answer = ask(small_app, request)
    error = answer.json()["error"]
    assert (answer.status_code, error["status"]) == (status, status), error
    assert piece in error["message"]
    assert "\n" not in error["message"]
    assert not re.search(r"/tmp|/src|\.py\b|0x[0-9a-f]{4}|Traceback", error["message"])
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_body_of_unknown_length_is_counted_as_it_arrives(ask, models):
    app = create_app(models, limits=SMALL)
    sent = 0

    async def endless():
        nonlocal sent
        while True:
            sent += 1000
            yield b"x" * 1000

    answer = ask(app, post("payments", **of_bytes(endless())))
    assert answer.status_code == 413
    assert sent <= SMALL.body + 2000


def test_a_body_that_does_not_arrive_times_out(ask, models):
    app = create_app(models, limits=Limits(upload_seconds=0.05))

    async def silent():
        yield b"{"
        await asyncio.sleep(30)

    answer = ask(app, post("payments", **of_bytes(silent())))
    assert answer.status_code == 408


def test_a_client_that_disconnects_is_not_a_failure(portal, models, caplog):
    app = create_app(models)
    messages = [{"type": "http.request", "body": b"{", "more_body": True}]

    async def receive():
        return messages.pop() if messages else {"type": "http.disconnect"}

    async def send(message):
        pass

    scope = {"type": "http", "method": "POST", "path": "/v1/models/payments/score"}
    scope |= {"query_string": b"", "headers": [(b"content-type", b"application/json")]}
    portal.call(app, scope, receive, send)
    assert "a request failed" not in caplog.text


def test_memory_is_shared_and_given_back(ask, models, payments):
    app = create_app(models, limits=Limits(memory=60_000))
    request = post("blobs", **images_of([np.zeros((100, 100), np.uint8)]))
    assert [ask(app, request).status_code for _ in range(3)] == [200] * 3
    too_large = post("blobs", **images_of([np.zeros((200, 100), np.uint8)]))
    refused = ask(app, too_large)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert ask(app, request).status_code == 200


def test_the_api_requires_a_token_and_the_page_does_not(ask, models):
    app = create_app(models, token="a long enough token")
    right, wrong = ({"Authorization": f"Bearer {t}"} for t in ("a long enough token", "guess"))
    for path in ("/v1/models", "/metrics", "/v1/nothing"):
        for headers in ({}, wrong, {"Authorization": "a long enough token"}):
            answer = ask(app, ("GET", path, {"headers": headers}))
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
        assert ask(app, ("GET", path, {"headers": right})).status_code != 401
    for path in ("/health", "/docs", "/openapi.json"):
        assert ask(app, ("GET", path, {})).status_code == 200


def test_a_service_that_other_machines_reach_has_a_token():
    for host in ("0.0.0.0", "::", "192.168.1.5", "example.org"):
        with pytest.raises(ValueError, match="needs a token"):
            checked_token(None, host)
        assert checked_token("0123456789abcdef", host)
    for host in ("127.0.0.1", "localhost", "::1", "127.3.2.1"):
        assert checked_token(None, host) is None
    with pytest.raises(ValueError, match="16 or more"):
        checked_token("short", "127.0.0.1")


def test_internal_errors_are_logged_and_not_shown(ask, models, monkeypatch, caplog, payments):
    app = create_app(models)

    def fail(_):
        raise RuntimeError("/secret/path")

    monkeypatch.setattr(models["payments"], "scores", fail)
    answer = ask(app, post("payments", **csv_of(payments)))
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "/secret/path" in caplog.text
    monkeypatch.undo()
    assert ask(app, post("payments", **csv_of(payments))).status_code == 200


# --------------------------------------------------------------------------------- under load


def test_requests_beyond_the_limit_are_refused_at_once(ask, models, payments, open_gate_after):
    app = create_app(models, limits=Limits(requests=3, queue=9))
    open_gate_after(8)
    answers = ask(app, *[post("payments", **csv_of(payments))] * 8)
    refused = [answer for answer in answers if answer.status_code == 503]
    assert len(refused) == 5
    assert all(answer.headers["retry-after"] == "1" for answer in refused)
    assert sum(answer.status_code == 200 for answer in answers) == 3


def test_a_full_queue_does_not_block_other_models(ask, models, payments, open_gate_after):
    app = create_app(models, limits=Limits(queue=2, batch_seconds=0))
    open_gate_after(7)
    busy = [post("payments", **csv_of(payments))] * 6
    *answers, other = ask(app, *busy, post("blobs", **images_of(make_images()[:1])))
    assert 503 in {answer.status_code for answer in answers}
    assert other.status_code == 200


def test_a_search_that_takes_too_long_is_stopped(ask):
    """The thread is free again, though the search alone would have taken minutes."""
    table = make_table()
    detector = quick(AnoGAN, n_steps=10, search_tolerance=0).fit(table)
    detector.set_params(n_steps=10**6)
    app = create_app({"slow": Model("slow", detector)}, limits=Limits(seconds=0.3))
    frame = pd.DataFrame(table[:3], columns=["x0", "x1", "x2", "x3"])
    answer = ask(app, post("slow", **csv_of(frame)))
    assert answer.status_code == 504
    assert "0.3 seconds" in answer.json()["error"]["message"]
    detector.set_params(n_steps=10)
    until = time.monotonic() + 20
    while (again := ask(app, post("slow", **csv_of(frame)))).status_code == 504:
        assert time.monotonic() < until
    assert scores_in(again) == detector.anomaly_score(table[:3]).tolist()


# ----------------------------------------------------------------------- what it says of itself


def test_models_are_described(ask, app, models):
    answer = ask(app, ("GET", "/v1/models", {})).json()
    described = {model["name"]: model for model in answer["models"]}
    table, images = described["payments"], described["blobs"]
    assert [column["name"] for column in table["columns"]] == ["city", "amount", "hour", "member"]
    assert [column["kind"] for column in table["columns"]][0::3] == ["categorical", "boolean"]
    assert (table["detector"], table["kind"], table["image"]) == ("VAE", "table", None)
    assert table["threshold"] == models["payments"].detector.threshold_
    assert table["n_held_out"] == 24
    assert images["threshold"] is None  # 12 held-out images are too few for 5 %
    assert images["image"] == {"height": 8, "width": 10, "channels": 1, "cut": False}
    assert images["columns"] is None
    assert described["rows"]["detector"] == "OddGAN"


def test_the_description_loads_nothing_from_other_hosts(ask, app):
    page = ask(app, ("GET", "/docs", {}))
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert not re.search(r"https?://|<script|style=", page.text)
    assert "/v1/models/{name}/score" in page.text
    assert ask(app, ("GET", "/docs.css", {})).headers["content-type"].startswith("text/css")


def test_models_are_named_by_their_files_or_explicitly(tmp_path, models):
    for name in ("a", "b"):
        models["payments"].detector.save(tmp_path / name / "m.oddgan")
    opened = open_models([str(tmp_path / "a" / "m.oddgan"), f"two={tmp_path}/b/m.oddgan"])
    assert list(opened) == ["m", "two"]
    with pytest.raises(ValueError, match="two models are called 'm'"):
        open_models([str(tmp_path / "a" / "m.oddgan"), str(tmp_path / "b" / "m.oddgan")])
    with pytest.raises(ValueError, match="cannot be a model's name"):
        parse_spec("my model.oddgan")
    with pytest.raises(FileNotFoundError, match="no model file"):
        open_models(["nothing.oddgan"])


# ------------------------------------------------------------------------------ a real process


def test_sigterm_lets_a_request_finish(tmp_path):
    """A real server, with a search that takes a while."""
    table = make_table()
    detector = quick(AnoGAN, n_steps=10, search_tolerance=0).fit(table)
    detector.set_params(n_steps=600).save(tmp_path / "slow.oddgan")
    command = [sys.executable, "-m", "oddgan", "serve", "slow.oddgan", "--port", "0"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as server:
        try:
            address = re.search(r"http://127\.0\.0\.1:\d+", server.stderr.readline())[0]
            with httpx.Client(base_url=address, timeout=60) as client, ThreadPoolExecutor() as pool:
                request = post("slow", **rows_of(pd.DataFrame(table[:3]).add_prefix("x")))
                answer = pool.submit(lambda: client.request(*request[:2], **request[2]))
                while "requests_in_flight 1.0" not in client.get("/metrics").text:
                    assert not answer.done(), answer.result().text
                server.send_signal(signal.SIGTERM)
                assert (
                    scores_in(answer.result())
                    == oddgan.load(tmp_path / "slow.oddgan").anomaly_score(table[:3]).tolist()
                )
            assert server.wait(20) in (0, -signal.SIGTERM)
            assert not server.stderr.read()
        finally:
            server.kill()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["m", "--host", "0.0.0.0"], "0.0.0.0 can be reached from other machines"),
        (["nothing"], "no model file at nothing"),
        (["m", "--time-limit", "0"], "--time-limit must be above 0"),
        (["m", "--token-file", "nothing"], "No such file"),
    ],
)
def test_models_that_cannot_be_served_are_one_line(
    words, message, models, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ODDGAN_TOKEN", raising=False)
    models["payments"].detector.save("m")
    monkeypatch.setattr(sys, "argv", ["oddgan", "serve", *words])
    with pytest.raises(SystemExit) as done:
        cli.main()
    error = capsys.readouterr().err
    assert (done.value.code, error.count("\n")) == (2, 1)
    assert message in error


def test_a_missing_package_is_named(monkeypatch, capsys):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "uvicorn" else find(name)
    )
    monkeypatch.setattr(sys, "argv", ["oddgan", "serve", "m"])
    with pytest.raises(SystemExit, match="2"):
        cli.main()
    assert "needs uvicorn, which is not installed: run pip install" in capsys.readouterr().err


def test_a_body_does_not_wait_for_the_acknowledgement_of_its_head():
    with (
        listen("127.0.0.1", 0) as listening,
        socket.create_connection(listening.getsockname()),
        listening.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
