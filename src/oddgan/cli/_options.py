"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

DataArgument = Annotated[
    str, typer.Argument(help="Data set by name, folder of images, CSV, Parquet, NPY or NPZ file.")
]
ModelArgument = Annotated[Path, typer.Argument(help="Model file.")]
Label = Annotated[
    str | None, typer.Option(help="Column (or NPZ key) with the labels; it is not an input.")
]
Anomaly = Annotated[
    str | None, typer.Option(help="The anomalous class (in a folder: a subfolder's name).")
]
Normal = Annotated[
    str | None, typer.Option(help="The only normal class; all others are anomalous.")
]
Pattern = Annotated[str | None, typer.Option(help='Which files of a folder, for example "*.jpg".')]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Leave out, and list, broken images.")]
Condition = Annotated[
    list[str] | None,
    typer.Option(
        help="Condition of each sample: a column of the table (may be repeated), or a CSV or "
        "Parquet file with a row for each sample (for images with a column `sample` naming them).",
    ),
]
Groups = Annotated[
    list[str] | None,
    typer.Option(
        help="Samples that belong together and are held out together, e.g. images of one object: "
        "a column of the table (may be repeated), or a file as for --condition.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
