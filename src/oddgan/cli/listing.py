"""``oddgan detectors`` and ``oddgan datasets``."""

from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from oddgan import datasets, detectors

from ._options import AsJson
from .output import print_json


def list_detectors(as_json: AsJson = False) -> None:
    """List the detectors: their inputs, scores, presets and references."""
    classes = detectors.all_detectors()
    if as_json:
        print_json(
            {
                name: {
                    "reference": cls.reference,
                    "inputs": cls.kinds,
                    "scores": cls.scores,
                    "presets": cls.presets,
                    "parameters": cls().get_params(),
                }
                for name, cls in classes.items()
            }
        )
        return
    table = Table.grid("detector", "property", "values", padding=(0, 2))
    for name, cls in classes.items():
        rows = {
            "inputs": [f"{kind}s" for kind in cls.kinds],
            "scores": [f"{cls.scores[0]} (default)", *cls.scores[1:]],
            "presets": list(cls.presets),
        }
        table.add_row(name, "from", cls.reference)
        for label, values in rows.items():
            if values:
                table.add_row("", label, ", ".join(values))
        table.add_row()
    Console(highlight=False).print(table)


def list_datasets(as_json: AsJson = False) -> None:
    """List the data sets by name, and whether their files are present."""
    infos = datasets.available()
    if as_json:
        print_json({info.name: asdict(info) for info in infos})
        return
    table = Table("data set", "kind", "samples", "shape", "classes", "here", "licence")
    for info in infos:
        table.add_row(
            info.name,
            info.kind,
            f"{info.n_samples:,}",
            " x ".join(map(str, info.shape)),
            str(len(info.classes)),
            "yes" if info.present else "no",
            info.licence,
        )
    table.columns[0].no_wrap = True
    Console().print(table)
    home = datasets.data_home()
    print(
        f"Files are read from {home} (ODDGAN_DATA sets it), and downloaded if missing; "
        "you must put those of arrhythmia and magnetic-tile there yourself."
    )
