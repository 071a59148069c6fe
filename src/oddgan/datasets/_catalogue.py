"""The data sets that have a name. Adding one means adding its entry here."""

from pathlib import Path

from oddgan.datasets import _cifar, _digits, _kddcup99, _mnist
from oddgan.datasets._base import Dataset, DatasetInfo, Entry
from oddgan.datasets._files import data_home, places

_ENTRIES: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        _digits.DIGITS,
        _mnist.MNIST,
        _mnist.FASHION_MNIST,
        _cifar.CIFAR10,
        _kddcup99.KDDCUP99,
    )
}


def load(name: str, *, home: Path | None = None, progress: bool = True) -> Dataset:
    """Load a data set by name.

    Its files are looked for in ``<home>/<name>/``, else fetched from their official
    addresses into it (into the platform's cache folder if the home is read-only). The
    content is compared with the published hash either way.

    Parameters
    ----------
    name : str
        One of ``digits``, ``mnist``, ``fashion-mnist``, ``cifar-10``, ``kddcup99``.
    home : pathlib.Path, optional
        The data home; `data_home` by default.
    progress : bool
        Whether to show progress of downloads and of long decoding, on standard error.

    Returns
    -------
    Dataset

    Raises
    ------
    ValueError
        If the name is unknown, or (`DataFileError`) a file's content is wrong.
    DataNotFoundError
        If a file is missing and cannot be fetched; a `FileNotFoundError`.
    """
    if name not in _ENTRIES:
        raise ValueError(f"no data set is called {name!r}; there are {', '.join(_ENTRIES)}")
    return _ENTRIES[name].read(_home(home), progress)


def available(*, home: Path | None = None) -> list[DatasetInfo]:
    """List the data sets that `load` knows, and whether their files are here.

    Parameters
    ----------
    home : pathlib.Path, optional
        The data home; `data_home` by default.
    """
    return [_info(entry, _home(home)) for entry in _ENTRIES.values()]


def _home(home: Path | None) -> Path:
    return data_home() if home is None else Path(home)


def _info(entry: Entry, home: Path) -> DatasetInfo:
    folders = places(entry.name, home)
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
