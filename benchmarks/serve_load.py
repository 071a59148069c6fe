"""The service under load, beside a bare loop of the same model over the same samples.

For each model: `oddgan serve` in a process of its own on a loopback address, clients that send good
and bad requests one after the other, and in the same run a loop that calls `anomaly_score` for each
good request. Every answer is compared with the score offline, bit for bit. Exit code 1 if an answer
is lost, a score differs, a request is refused that should not be or the other way round, or the
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
#: Every so many requests of a client is a bad one.
BAD_EVERY = 8
BOUNDARY = "5a4f1e"


@dataclass(frozen=True)
class Request:
    """A request: what it sends, and the scores, or the statuses, that are right."""

    body: bytes
    kind: str
    given: Any
    scores: list[float] | None = None
    statuses: tuple[int, ...] = (200,)


@dataclass
class Told:
    """What the clients saw.

    Attributes
    ----------
    seconds : list of float
        From each request to its answer.
    statuses : list of int
        Of the answers.
    wrong : list of str
        What should not have been.
    total, computed, growth : float
        Of all requests: seconds, seconds of the server's processor, MiB that its memory grew by.
    """

    seconds: list[float] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    total: float = 0.0
    computed: float = 0.0
    growth: float = 0.0


def rows(n: int) -> pd.DataFrame:
    """Return correlated rows of 20 columns."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 5)) @ rng.normal(size=(5, 20)) + 0.1 * rng.normal(size=(n, 20))
    return pd.DataFrame(X, columns=[f"x{i}" for i in range(20)])


def blobs(n: int) -> NDArray[np.uint8]:
    """Return grey images of 28 x 28 pixels with a soft blob each."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:28, :28]
    centre = rng.uniform(8, 20, size=(2, n, 1, 1))
    return (255 * np.exp(-((y - centre[0]) ** 2 + (x - centre[1]) ** 2) / 30)).astype(np.uint8)


def of_rows(detector: Detector, data: pd.DataFrame, i: int) -> Request:
    """Return a good request of 1 to 8 rows."""
    given = data.iloc[i * 8 : i * 8 + 1 + i % 8]
    body = json.dumps({"rows": given.to_dict("records")}).encode()
    return Request(body, "application/json", given, detector.anomaly_score(given).tolist())


def of_images(detector: Detector, data: NDArray[np.uint8], i: int) -> Request:
    """Return a good request of 1 to 4 images."""
    given = data[i * 4 : i * 4 + 1 + i % 4]
    form = f"multipart/form-data; boundary={BOUNDARY}"
    body = b"".join(part(f"{k}.png", png(image)) for k, image in enumerate(given))
    return Request(body + ending(), form, given, detector.anomaly_score(given).tolist())


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
    cut = Request(good.body[: len(good.body) // 2], good.kind, None, statuses=(400, 422))
    other = Request(b"\0" * 500, "application/octet-stream", None, statuses=(415,))
    if good.kind == "application/json":
        text = re.sub(rb'("x7": )[^,}]+', rb'\1"a"', good.body, count=1)
        named = Request(text, good.kind, None, statuses=(422,))
    else:
        named = Request(part("a.png", b"garbage") + ending(), good.kind, None, statuses=(422,))
    return (cut, other, named)[i % 3]


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
                raise RuntimeError(f"the service ended by itself, with {server.returncode}")
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(60)


def memory(pid: int) -> float:
    """Return the resident memory of a process in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]


def processor(pid: int) -> float:
    """Return the seconds that a process has computed."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def client(port: int, requests: list[Request], until: float, told: Told) -> None:
    """Send requests one after the other, and check each answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for request in requests:
        if time.perf_counter() > until:
            told.wrong.append("out of time")
            return
        began = time.perf_counter()
        headers = {"Content-Type": request.kind}
        connection.request("POST", "/v1/models/m/score", request.body, headers)
        answer = connection.getresponse()
        content = answer.read()
        told.seconds.append(time.perf_counter() - began)
        told.statuses.append(answer.status)
        if answer.status not in request.statuses:
            told.wrong.append(f"{answer.status}: {content[:200]!r}")
        elif request.scores is not None:
            found = [sample["anomaly_score"] for sample in json.loads(content)["samples"]]
            if found != request.scores:
                told.wrong.append(f"scores {found} are not {request.scores}")


def load(port: int, pid: int, each: list[list[Request]], limit: float) -> Told:
    """Let clients send at the same time."""
    told, until = [Told() for _ in each], time.perf_counter() + limit
    threads = [
        threading.Thread(target=client, args=(port, requests, until, seen))
        for requests, seen in zip(each, told, strict=True)
    ]
    n, before = sum(map(len, each)), None
    began, computed = time.perf_counter(), processor(pid)
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        time.sleep(0.05)
        if before is None and sum(len(seen.seconds) for seen in told) > n / 3:
            before = memory(pid)
    all_told = Told(
        total=time.perf_counter() - began,
        computed=processor(pid) - computed,
        growth=memory(pid) - (before or 0),
    )
    for seen in told:
        all_told.seconds += seen.seconds
        all_told.statuses += seen.statuses
        all_told.wrong += seen.wrong
    return all_told


def loop(detector: Detector, requests: list[Request], told: Told) -> None:
    """Score each good request offline."""
    computed = time.process_time()
    for request in requests:
        if request.scores is not None:
            began = time.perf_counter()
            detector.anomaly_score(request.given)
            told.seconds.append(time.perf_counter() - began)
            told.total += told.seconds[-1]
    told.computed += time.process_time() - computed


def show(name: str, how: str, told: Told) -> None:
    n, each = len(told.seconds), 1000 / len(told.seconds)
    p50, p99 = 1000 * np.quantile(told.seconds, [0.5, 0.99])
    row = f"{n} | {n / told.total:.0f} | {p50:.0f} | {p99:.0f} | {each * told.computed:.1f}"
    print(f"| {name} | {how} | {row} |", flush=True)


def measure(
    name: str, detector: Detector, make: Callable[..., Request], data: Any, args: argparse.Namespace
) -> bool:
    """Measure one model; return whether all was right."""
    with tempfile.TemporaryDirectory() as folder:
        detector.save(Path(folder) / "m.oddgan")
        detector = oddgan.load(Path(folder) / "m.oddgan")
        good = [make(detector, data, i) for i in range(100)]
        mixed = [bad(r, i) if i % BAD_EVERY == 3 else r for i, r in enumerate(good)]
        each = [
            [mixed[(7 * c + i) % len(mixed)] for i in range(args.requests)]
            for c in range(args.clients)
        ]
        with serving(Path(folder) / "m.oddgan") as (port, pid):
            load(port, pid, [mixed], args.seconds)  # what is made at first use is made
            offline = Told()
            loop(detector, mixed, offline)
            of_one = load(port, pid, [mixed], args.seconds)
            told = load(port, pid, each, args.seconds)
            loop(detector, mixed, offline)  # again: the machine may do other work meanwhile
    n = args.clients * args.requests
    n_bad = sum(request.scores is None for requests in each for request in requests)
    show(name, "bare loop", offline)
    show(name, "1 client", of_one)
    show(name, f"{args.clients} clients", told)
    refused = sum(status != 200 for status in told.statuses)
    wrong = len(told.wrong) + len(of_one.wrong)
    print(
        f"\n{name}: {len(told.statuses)} of {n} requests answered, {refused} of {n_bad} bad ones "
        f"refused, {wrong} wrong, memory grew by {told.growth:.1f} MiB\n"
    )
    for line in (*of_one.wrong, *told.wrong)[:5]:
        print(line)
    right = not told.wrong and not of_one.wrong and len(told.statuses) == n and refused == n_bad
    return right and told.growth <= GROWTH


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--requests", type=int, default=60, help="of each client")
    parser.add_argument("--seconds", type=float, default=120, help="for one model, at most")
    args = parser.parse_args()
    quick = {"max_steps": 200, "random_state": 0, "health": False}
    table, images = rows(2000), blobs(800)
    print("| model | how | requests | a second | p50, ms | p99, ms | processor, ms a request |")
    print("|---|---|---:|---:|---:|---:|---:|")
    right = [
        measure("VAE, rows", VAE(**quick).fit(table), of_rows, table, args),
        measure("OddGAN, rows", OddGAN(**quick).fit(table), of_rows, table, args),
        measure("OddGAN, images", OddGAN(**quick).fit(images), of_images, images, args),
    ]
    sys.exit(0 if all(right) else 1)


if __name__ == "__main__":
    main()
