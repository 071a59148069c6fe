"""The service under load, compared with a bare loop of the same model over the same samples.

For each model: `oddgan serve` in a separate process on a loopback address, clients that send good
and bad requests one after the other, and in the same run a loop that calls `anomaly_score` for each
good request. Every response is compared with the offline score, bit for bit. Exit code 1 if a
response is lost, a score differs, a good request is refused, a bad request is accepted, or the
server's memory grows by more than 64 MiB between the first third of the requests and the last.

    python benchmarks/serve_load.py [--clients 32] [--requests 60] [--seconds 120]
"""

import argparse
import contextlib
import http.client
import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

import oddgan
from oddgan import OddGAN
from oddgan.detectors import VAE, Detector

GROWTH = 64  # MiB
#: One of this many requests of a client is bad.
BAD_EVERY = 8
BOUNDARY = "5a4f1e"


@dataclass(frozen=True)
class Request:
    """A request: its body, and the expected scores or statuses."""

    body: bytes
    kind: str
    samples: Any
    scores: list[float] | None = None
    statuses: tuple[int, ...] = (200,)


@dataclass
class Record:
    """The measurements of the clients.

    Attributes
    ----------
    seconds : list of float
        From each request to its response.
    statuses : list of int
        Of the responses.
    errors : list of str
        Unexpected results.
    total, computed, growth : float
        For all requests: seconds, processor seconds of the server, growth of its memory in MiB.
    """

    seconds: list[float] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    total: float = 0.0
    computed: float = 0.0
    growth: float = 0.0


def rows(n: int) -> pd.DataFrame:
    """Return correlated rows of 20 columns."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 5)) @ rng.normal(size=(5, 20)) + 0.1 * rng.normal(size=(n, 20))
    return pd.DataFrame(X, columns=[f"x{i}" for i in range(20)])


def blobs(n: int) -> NDArray[np.uint8]:
    """Return grey images of 28 x 28 pixels, each with a soft blob."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:28, :28]
    centre = rng.uniform(8, 20, size=(2, n, 1, 1))
    return (255 * np.exp(-((y - centre[0]) ** 2 + (x - centre[1]) ** 2) / 30)).astype(np.uint8)


def rows_request(detector: Detector, data: pd.DataFrame, i: int) -> Request:
    """Return a good request of 1 to 8 rows."""
    samples = data.iloc[i * 8 : i * 8 + 1 + i % 8]
    body = json.dumps({"rows": samples.to_dict("records")}).encode()
    return Request(body, "application/json", samples, detector.anomaly_score(samples).tolist())


def images_request(detector: Detector, data: NDArray[np.uint8], i: int) -> Request:
    """Return a good request of 1 to 4 images."""
    samples = data[i * 4 : i * 4 + 1 + i % 4]
    form = f"multipart/form-data; boundary={BOUNDARY}"
    body = b"".join(part(f"{k}.png", png(image)) for k, image in enumerate(samples))
    return Request(body + ending(), form, samples, detector.anomaly_score(samples).tolist())


def png(image: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def part(name: str, content: bytes) -> bytes:
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
    )
    return head.encode() + content + b"\r\n"


def ending() -> bytes:
    return f"--{BOUNDARY}--\r\n".encode()


def bad(good: Request, i: int) -> Request:
    """Return a request that must be refused."""
    truncated = Request(good.body[: len(good.body) // 2], good.kind, None, statuses=(400, 422))
    wrong_type = Request(b"\0" * 500, "application/octet-stream", None, statuses=(415,))
    if good.kind == "application/json":
        text = re.sub(rb'("x7": )[^,}]+', rb'\1"a"', good.body, count=1)
        bad_value = Request(text, good.kind, None, statuses=(422,))
    else:
        bad_value = Request(part("a.png", b"garbage") + ending(), good.kind, None, statuses=(422,))
    return (truncated, wrong_type, bad_value)[i % 3]


@contextlib.contextmanager
def serving(model: Path) -> Iterator[tuple[int, int]]:
    """Run the service; yield its port and its process."""
    command = [sys.executable, "-m", "oddgan", "serve", f"m={model}", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        line = server.stderr.readline()
        port = re.search(r":(\d+)/", line)
        if port is None:
            raise RuntimeError(line + server.stderr.read())
        try:
            yield int(port[1]), server.pid
            if server.poll() is not None:
                raise RuntimeError(f"the service exited with {server.returncode}")
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(60)


def memory(pid: int) -> float:
    """Return the resident memory of a process in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]


def processor(pid: int) -> float:
    """Return the processor seconds of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def client(port: int, requests: list[Request], deadline: float, record: Record) -> None:
    """Send requests one after the other, and check each response."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for request in requests:
        if time.perf_counter() > deadline:
            record.errors.append("out of time")
            return
        start = time.perf_counter()
        headers = {"Content-Type": request.kind}
        connection.request("POST", "/v1/models/m/score", request.body, headers)
        response = connection.getresponse()
        content = response.read()
        record.seconds.append(time.perf_counter() - start)
        record.statuses.append(response.status)
        if response.status not in request.statuses:
            record.errors.append(f"{response.status}: {content[:200]!r}")
        elif request.scores is not None:
            scores = [sample["anomaly_score"] for sample in json.loads(content)["samples"]]
            if scores != request.scores:
                record.errors.append(f"scores {scores} instead of {request.scores}")


def load(port: int, pid: int, requests_by_client: list[list[Request]], limit: float) -> Record:
    """Let all clients send at the same time."""
    records = [Record() for _ in requests_by_client]
    deadline = time.perf_counter() + limit
    threads = [
        threading.Thread(target=client, args=(port, requests, deadline, record))
        for requests, record in zip(requests_by_client, records, strict=True)
    ]
    n, before = sum(map(len, requests_by_client)), None
    start, computed = time.perf_counter(), processor(pid)
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        time.sleep(0.05)
        if before is None and sum(len(record.seconds) for record in records) > n / 3:
            before = memory(pid)
    combined = Record(
        total=time.perf_counter() - start,
        computed=processor(pid) - computed,
        growth=memory(pid) - (before or 0),
    )
    for record in records:
        combined.seconds += record.seconds
        combined.statuses += record.statuses
        combined.errors += record.errors
    return combined


def loop(detector: Detector, requests: list[Request], record: Record) -> None:
    """Score each good request offline."""
    computed = time.process_time()
    for request in requests:
        if request.scores is not None:
            start = time.perf_counter()
            detector.anomaly_score(request.samples)
            record.seconds.append(time.perf_counter() - start)
            record.total += record.seconds[-1]
    record.computed += time.process_time() - computed


def show(name: str, load_name: str, record: Record) -> None:
    n, scale = len(record.seconds), 1000 / len(record.seconds)
    p50, p99 = 1000 * np.quantile(record.seconds, [0.5, 0.99])
    row = f"{n} | {n / record.total:.0f} | {p50:.0f} | {p99:.0f} | {scale * record.computed:.1f}"
    print(f"| {name} | {load_name} | {row} |", flush=True)


def measure(
    name: str, detector: Detector, make: Callable[..., Request], data: Any, args: argparse.Namespace
) -> bool:
    """Measure one model; return whether all checks passed."""
    with tempfile.TemporaryDirectory() as folder:
        detector.save(Path(folder) / "m.oddgan")
        detector = oddgan.load(Path(folder) / "m.oddgan")
        good = [make(detector, data, i) for i in range(100)]
        mixed = [bad(r, i) if i % BAD_EVERY == 3 else r for i, r in enumerate(good)]
        requests_by_client = [
            [mixed[(7 * c + i) % len(mixed)] for i in range(args.requests)]
            for c in range(args.clients)
        ]
        with serving(Path(folder) / "m.oddgan") as (port, pid):
            load(port, pid, [mixed], args.seconds)  # warm-up: lazy initialisation happens here
            offline = Record()
            loop(detector, mixed, offline)
            single = load(port, pid, [mixed], args.seconds)
            record = load(port, pid, requests_by_client, args.seconds)
            loop(detector, mixed, offline)  # again: the load of the machine may have changed
    n = args.clients * args.requests
    n_bad = sum(request.scores is None for requests in requests_by_client for request in requests)
    show(name, "bare loop", offline)
    show(name, "1 client", single)
    show(name, f"{args.clients} clients", record)
    refused = sum(status != 200 for status in record.statuses)
    n_errors = len(record.errors) + len(single.errors)
    print(
        f"\n{name}: {len(record.statuses)} of {n} requests answered, {refused} of {n_bad} bad ones "
        f"refused, {n_errors} errors, memory grew by {record.growth:.1f} MiB\n"
    )
    for line in (*single.errors, *record.errors)[:5]:
        print(line)
    passed = (
        not record.errors and not single.errors and len(record.statuses) == n and refused == n_bad
    )
    return passed and record.growth <= GROWTH


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--requests", type=int, default=60, help="per client")
    parser.add_argument("--seconds", type=float, default=120, help="limit per model")
    args = parser.parse_args()
    quick = {"max_steps": 200, "random_state": 0, "health": False}
    table, images = rows(2000), blobs(800)
    print(
        "| model | load | requests | per second | p50, ms | p99, ms | processor, ms per request |"
    )
    print("|---|---|---:|---:|---:|---:|---:|")
    passed = [
        measure("VAE, rows", VAE(**quick).fit(table), rows_request, table, args),
        measure("OddGAN, rows", OddGAN(**quick).fit(table), rows_request, table, args),
        measure("OddGAN, images", OddGAN(**quick).fit(images), images_request, images, args),
    ]
    sys.exit(0 if all(passed) else 1)


if __name__ == "__main__":
    main()
