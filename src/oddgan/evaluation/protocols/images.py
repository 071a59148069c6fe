"""Protocols for industrial images, of which several may show the same part."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from oddgan.datasets import Dataset
from oddgan.evaluation.protocols.base import Protocol, Split, build_split, draw


@dataclass(frozen=True)
class DefectFree(Protocol):
    """Defect-free parts train; no part is both in training and in the test.

    All parts with a defect and a fraction of the parts without one test, each with all of its
    images. So all defects are tested, no defective image is left out, and the test also has
    defect-free images of defective parts (exposures in which nothing is marked). Images of one
    part are nearly copies of each other: if they were split one by one, the test would contain
    near-copies of training images.

    The truth of an image is its class, that of a pixel its mask: `Dataset.masks`.

    Parameters
    ----------
    normal : int or str
        The class of the defect-free images.
    test_fraction : float in (0, 1)
        The share (rounded down) of the parts without a defect that tests.
    seed : int
        Seeds the draw of these parts.
    """

    name: ClassVar[str] = "defect-free"
    metric: ClassVar[str] = "auroc"
    normal: int | str = "free"
    test_fraction: float = 0.2
    seed: int = 0

    def split(self, dataset: Dataset) -> Split:
        """See `Protocol.split`; also raise ValueError if the data set has no `groups`."""
        if dataset.groups is None:
            raise ValueError(
                f"{dataset.name} does not say which images show the same part, so it cannot be "
                "split by parts"
            )
        anomalous = ~dataset.is_class(self.normal)
        parts, part_of_row = np.unique(dataset.groups, return_inverse=True)
        sound = np.ones(len(parts), dtype=bool)
        sound[part_of_row[anomalous]] = False
        test = (~sound | draw(sound, self.test_fraction, self.seed))[part_of_row]
        clauses = (
            f"images that are not {self.normal} are anomalous",
            f"{100 * (1 - self.test_fraction):.4g} % of the parts without a defect train",
            "all images of all other parts test",
        )
        return build_split(~test, test, anomalous, clauses)
