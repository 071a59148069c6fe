"""The command ``oddgan``: each module is one command, which calls the package and prints."""

import logging
import os
import sys
import warnings
from typing import Annotated, Any

import typer

import oddgan
from oddgan.training import TrainingError

from .bench import bench
from .calibrate import calibrate
from .demo import demo
from .drift import drift
from .evaluate import evaluate
from .fit import fit
from .inspect import inspect
from .listing import list_datasets, list_detectors
from .plot import plot
from .report import report
from .score import score
from .serve import serve

__all__ = ["app", "main"]

app = typer.Typer(
    name="oddgan",
    no_args_is_help=True,
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and exit.", is_eager=True),
    ] = False,
) -> None:
    """Detect anomalies in images and in tables."""
    if version:
        print(f"oddgan {oddgan.__version__}")
        raise typer.Exit


app.command()(fit)
app.command()(score)
app.command()(calibrate)
app.command()(drift)
app.command()(inspect)
app.command()(evaluate)
app.command()(plot)
app.command()(report)
app.command()(bench)
app.command()(demo)
app.command()(serve)
app.command("detectors")(list_detectors)
app.command("datasets")(list_datasets)


def main() -> None:
    """Run the command line.

    Exit codes: 0 success; 1 training failed; 2 a user's error, in one line; 3 drift
    (`oddgan drift`); 130 interrupted.
    With ODDGAN_TRACEBACK set, errors have their traceback.
    """
    warnings.showwarning = _show_warning
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except TrainingError as error:
        _fail(error, 1)
    except (ValueError, TypeError, OSError) as error:
        _fail(error, 2)
    except (RuntimeError, MemoryError) as error:
        _fail(error, 1)


def _fail(error: Exception, code: int) -> None:
    if os.environ.get("ODDGAN_TRACEBACK"):
        raise error
    print(f"oddgan: {' '.join(str(error).split())}", file=sys.stderr)
    sys.exit(code)


def _show_warning(message: Any, category: type[Warning], *_: Any, **__: Any) -> None:
    print(f"oddgan: warning: {message}", file=sys.stderr)
