"""Public data sets by name, read from local files or downloaded once from their official URLs.

>>> from oddgan.datasets import load
>>> digits = load("digits")
>>> digits.X.shape, digits.classes
((1797, 8, 8), (0, 1, 2, 3, 4, 5, 6, 7, 8, 9))
"""

from oddgan.datasets._base import Dataset, DatasetInfo
from oddgan.datasets._catalogue import available, load
from oddgan.datasets._files import DataFileError, DataNotFoundError, data_home
from oddgan.datasets._folder import class_folder

__all__ = [
    "DataFileError",
    "DataNotFoundError",
    "Dataset",
    "DatasetInfo",
    "available",
    "class_folder",
    "data_home",
    "load",
]
