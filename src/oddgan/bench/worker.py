"""A process that measures cells: it reads one definition per line and answers with one line each.

    python -m oddgan.bench.worker FOLDER

A result is on disk before its line is written. The process ends as soon as its input ends, so that
a killed run leaves no processes behind.
"""

import json
import os
import queue
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

import numpy as np

from .cells import run_cell
from .store import failure, scores_path, write_result


def main(folder: Path) -> None:
    """Measure cells until the input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # output of libraries must not be read as an answer
    todo: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_listen, args=(todo,), daemon=True).start()
    while True:
        request = json.loads(todo.get())
        _measure(request["key"], request["definition"], folder)
        print(request["key"], file=answers, flush=True)


def _measure(key: str, definition: dict[str, Any], folder: Path) -> None:
    result: dict[str, Any]
    try:
        result, scores = run_cell(definition)
        result = {"status": "done", **result}
        if definition["keep_scores"]:
            for score, values in scores.items():
                np.save(scores_path(folder, key, score), values)
    except Exception as error:  # the other cells continue
        print(f"\n{key}:", file=sys.stderr)
        traceback.print_exc()
        result = failure(f"{type(error).__name__}: {error}")
    write_result(folder / f"{key}.json", {"cell": definition, **result})


def _listen(todo: "queue.Queue[str]") -> None:
    for line in sys.stdin:
        todo.put(line)
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
