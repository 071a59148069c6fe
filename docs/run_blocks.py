"""Run the code blocks of Markdown files, like a reader who copies them.

The ``bash`` and ``python`` blocks of one file run in order, in one temporary folder. So each block
sees the files of earlier blocks. Printed output is not compared with the ``text`` blocks. Blocks
marked ``bash no-run`` are skipped. The first failure ends the run.

    python docs/run_blocks.py README.md docs/*.md
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

_BLOCK = re.compile(r"^```(bash|python)[ ]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def main() -> None:
    """Run every block of the named files."""
    root = Path(__file__).resolve().parent.parent
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for name in sys.argv[1:]:
        text = (root / name).read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as folder:
            for language, code in _BLOCK.findall(text):
                print(f"--- {name}: {code.strip().splitlines()[0]}", flush=True)
                command = ["bash", "-euo", "pipefail", "-c", code]
                if language == "python":
                    command = [sys.executable, "-c", code]
                process = subprocess.run(command, cwd=folder, env=environment, check=False)
                if process.returncode:
                    sys.exit(f"{name}: this block failed with {process.returncode}:\n{code}")


if __name__ == "__main__":
    main()
