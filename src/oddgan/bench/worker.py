"""A process that measures cells: one definition a line comes in, one line goes out for each.

    python -m oddgan.bench.worker FOLDER

A result is on disk before the line about it is written. When the other side is gone the
process ends at once, so that a killed run leaves nobody behind.
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
    """Measure what comes in until no more does."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print must not be read as an answer
    todo: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_listen, args=(todo,), daemon=True).start()
    while True:
        asked = json.loads(todo.get())
        _measure(asked["key"], asked["definition"], folder)
        print(asked["key"], file=answers, flush=True)


def _measure(key: str, definition: dict[str, Any], folder: Path) -> None:
    result: dict[str, Any]
    try:
        result, scores = run_cell(definition)
        result = {"status": "done", **result}
        if definition["keep_scores"]:
            for score, values in scores.items():
                np.save(scores_path(folder, key, score), values)
    except Exception as error:  # whatever fails, the other cells continue
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
