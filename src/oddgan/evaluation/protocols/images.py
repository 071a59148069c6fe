"""Protocols for industrial images; several may show the same part."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from oddgan.datasets import Dataset
from oddgan.evaluation.protocols.base import Protocol, Split, build_split, draw


@dataclass(frozen=True)
class DefectFree(Protocol):
    """Defect-free parts train; no part is both in training and in the test.

    Every part with a defect tests, and of the parts without one a fraction, each with all of
    its images. So all defects are tested, no defective image has to be left out, and the test
    has defect-free images of defective parts too (exposures in which nothing is marked).
    Images of one part are nearly copies of each other: were they split one by one, the test
    would ask for what was trained on.

    The truth of an image is its class, that of a pixel its mask: `Dataset.masks`.

    Parameters
    ----------
    normal : int or str
        The class of the defect-free images.
    test_fraction : float in (0, 1)
        The share (rounded down) of the parts without a defect that tests.
    seed : int
        Which parts.
    """

    name: ClassVar[str] = "defect-free"
    metric: ClassVar[str] = "auroc"
    normal: int | str = "free"
    test_fraction: float = 0.2
    seed: int = 0

    def split(self, dataset: Dataset) -> Split:
        """See `Protocol.split`; a data set whose images have no `groups` is refused."""
        if dataset.groups is None:
            raise ValueError(
                f"{dataset.name} does not say which images show the same part, so it cannot be "
                "split by parts"
            )
        odd = ~dataset.is_class(self.normal)
        parts, of_row = np.unique(dataset.groups, return_inverse=True)
        whole = np.ones(len(parts), dtype=bool)
        whole[of_row[odd]] = False
        test = (~whole | draw(whole, self.test_fraction, self.seed))[of_row]
        said = (
            f"images that are not {self.normal} are anomalous",
            f"{100 * (1 - self.test_fraction):.4g} % of the parts without a defect train",
            "all images of all other parts test",
        )
        return build_split(~test, test, odd, said)
