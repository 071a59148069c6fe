"""Data sets, and the facts about them that need no reading."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

Kind = Literal["image", "table"]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples with their class labels.

    Parameters
    ----------
    name : str
    kind : {"image", "table"}
    X : array of shape (n, h, w) or (n, h, w, 3), or DataFrame of n rows
        Images are uint8 in 0..255, or float32 in [0, 1]. If they vary in size, they are an array
        of n arrays, and so are their masks.
    y : array of shape (n,)
        Class labels: names (str) if the classes have names, else numbers.
    train : bool array of shape (n,), or None
        The samples of the official training set; None if there is no official split.
    note : str
        One sentence: its content, its origin, and its caveats.
    class_names : tuple of str
        The names in their official order, if the classes also have numbers.
    masks : bool array of shape (n, h, w), or None
        The anomalous pixels of each image, if they are known.
    groups : int array of shape (n,), or None
        The object that each sample shows, if several samples show the same object: a fair split
        keeps them on one side.

    Raises
    ------
    ValueError
        If the shapes of X, y, masks and groups do not match, or a label is missing.
    """

    name: str
    kind: Kind
    X: npt.NDArray[Any] | pd.DataFrame
    y: npt.NDArray[Any]
    train: npt.NDArray[np.bool_] | None
    note: str
    class_names: tuple[str, ...] = ()
    masks: npt.NDArray[np.bool_] | None = None
    groups: npt.NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if len(self.X) != len(self.y):
            raise ValueError(f"{self.name}: {len(self.X)} samples but {len(self.y)} labels")
        if self.masks is not None and self.masks.shape != self.X.shape[:3]:
            raise ValueError(
                f"{self.name}: images of shape {self.X.shape} but masks of {self.masks.shape}"
            )
        if self.groups is not None and self.groups.shape != (len(self.y),):
            raise ValueError(
                f"{self.name}: {len(self.y)} samples but groups of shape {self.groups.shape}"
            )
        missing = int(np.sum(pd.isna(self.y)))
        if missing:
            raise ValueError(f"{self.name}: {missing} of {len(self.y)} samples have no label")

    def __len__(self) -> int:
        return len(self.y)

    @property
    def classes(self) -> tuple[Any, ...]:
        """The classes, in their official order if there is one, else sorted."""
        return self.class_names or tuple(np.unique(self.y).tolist())

    def is_class(self, label: object) -> npt.NDArray[np.bool_]:
        """Return which rows belong to a class.

        Parameters
        ----------
        label : int or str
            A class as in `classes` (``"3"`` matches the number 3), or its number if the classes
            have names.

        Returns
        -------
        bool array of shape (n,)

        Raises
        ------
        ValueError
            If there is no such class; the message lists the classes.
        """
        for name in self.classes:
            if label == name or _same(str(label), str(name)):
                return np.asarray(self.y == name)
        by_number = {str(i): name for i, name in enumerate(self.class_names)}
        if str(label) in by_number:
            return np.asarray(self.y == by_number[str(label)])
        names = ", ".join(map(str, self.classes[:50])) + (", ..." if len(self.classes) > 50 else "")
        raise ValueError(f"{self.name} has no class {label!r}; its classes are {names}")


def _same(a: str, b: str) -> bool:
    """Return whether two texts name the same class, such as "1" and "1.0", or "true" and "True"."""
    try:
        return float(a) == float(b)
    except ValueError:
        return a == b or (a.lower() == b.lower() and a.lower() in ("true", "false"))


@dataclass(frozen=True)
class DatasetInfo:
    """The catalogue's facts about a data set, which need no reading.

    Parameters
    ----------
    name : str
    kind : {"image", "table"}
    n_samples : int
    shape : tuple of int
        Shape of a sample: (h, w), (h, w, 3) or (columns,).
    classes : tuple of int or str
    licence : str
    source : str
        Web page of the data set.
    folder : pathlib.Path or None
        Folder of its files, or the folder they will be downloaded to; None if it needs no file.
    present : bool
        Whether the files are there now (`load` checks their content).
    """

    name: str
    kind: Kind
    n_samples: int
    shape: tuple[int, ...]
    classes: tuple[int | str, ...]
    licence: str
    source: str
    folder: Path | None
    present: bool


@dataclass(frozen=True)
class Entry:
    """One data set of the catalogue: its facts and the two functions that find and read it.

    Parameters
    ----------
    name, kind, n_samples, shape, classes, licence, source
        As in `DatasetInfo`.
    present : callable
        ``present(home) -> bool``.
    read : callable
        ``read(home, progress, **options) -> Dataset``; downloads missing files.
    bundled : bool
        Whether it comes with a library and needs no file.
    options : tuple of str
        The options of `read`.
    folder : str
        Folder below the data home; the name if empty.
    """

    name: str
    kind: Kind
    n_samples: int
    shape: tuple[int, ...]
    classes: tuple[int | str, ...]
    licence: str
    source: str
    present: Callable[[Path], bool]
    read: Callable[..., Dataset]
    bundled: bool = False
    options: tuple[str, ...] = ()
    folder: str = ""
