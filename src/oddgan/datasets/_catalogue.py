"""The catalogue of data sets. To add one, add its entry here."""

from pathlib import Path
from typing import Any

from oddgan.datasets._adbench import ADBENCH
from oddgan.datasets._arrhythmia import ARRHYTHMIA
from oddgan.datasets._base import Dataset, DatasetInfo, Entry
from oddgan.datasets._cifar import CIFAR10
from oddgan.datasets._digits import DIGITS
from oddgan.datasets._files import data_home, search_folders
from oddgan.datasets._kddcup99 import KDDCUP99
from oddgan.datasets._magnetic_tile import MAGNETIC_TILE
from oddgan.datasets._mnist import FASHION_MNIST, MNIST

_ENTRIES: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        DIGITS,
        MNIST,
        FASHION_MNIST,
        CIFAR10,
        MAGNETIC_TILE,
        KDDCUP99,
        ARRHYTHMIA,
        *ADBENCH,
    )
}


def load(name: str, *, home: Path | None = None, progress: bool = True, **options: Any) -> Dataset:
    """Load a data set by name.

    Its files are read from its folder in the data home. Missing files are downloaded into it from
    their official URLs (into the platform's cache folder if the home is read-only). The content is
    always compared with the published hash. ``magnetic-tile`` and ``arrhythmia`` are never
    downloaded, as they have no single file with a published hash; their number of samples is
    checked instead.

    Parameters
    ----------
    name : str
        As in `available`: ``digits``, ``mnist``, ``fashion-mnist``, ``cifar-10``,
        ``magnetic-tile``, ``kddcup99``, ``arrhythmia``, or an ADBench table, for example
        ``adbench/cardio``.
    home : pathlib.Path, optional
        The data home; `data_home` by default.
    progress : bool
        Whether to show the progress of downloads and slow decoding on standard error.
    **options
        Options of the data set: for ``magnetic-tile`` the ``size`` in pixels, 64 by default, to
        which its images of varying size are resized.

    Returns
    -------
    Dataset

    Raises
    ------
    ValueError
        If the name or an option is unknown, or (`DataFileError`) a file's content is wrong.
    DataNotFoundError
        If a file is missing and cannot be downloaded; a `FileNotFoundError`.
    """
    if name not in _ENTRIES:
        raise ValueError(f"there is no data set {name!r}; choose one of {', '.join(_ENTRIES)}")
    entry = _ENTRIES[name]
    unknown = [option for option in options if option not in entry.options]
    if unknown:
        raise ValueError(
            f"the data set {name} has no option {unknown[0]!r}; it has "
            f"{', '.join(entry.options) or 'none'}"
        )
    return entry.read(_home(home), progress, **options)


def available(*, home: Path | None = None) -> list[DatasetInfo]:
    """List the data sets of the catalogue, and whether their files are present.

    Parameters
    ----------
    home : pathlib.Path, optional
        The data home; `data_home` by default.
    """
    return [_info(entry, _home(home)) for entry in _ENTRIES.values()]


def _home(home: Path | None) -> Path:
    return data_home() if home is None else Path(home)


def _info(entry: Entry, home: Path) -> DatasetInfo:
    folders = search_folders(entry.folder or entry.name, home)
    return DatasetInfo(
        name=entry.name,
        kind=entry.kind,
        n_samples=entry.n_samples,
        shape=entry.shape,
        classes=entry.classes,
        licence=entry.licence,
        source=entry.source,
        folder=None if entry.bundled else next((f for f in folders if f.is_dir()), folders[0]),
        present=entry.present(home),
    )
