"""Measure detectors of patches on magnetic tiles in their own sizes.

    python benchmarks/magnetic_tiles.py components --out components.json --picture tiles.png
    python benchmarks/magnetic_tiles.py patches --maps 1 --out patches.json

It takes the data set magnetic-tile, as `oddgan datasets` tells. Nothing is chosen by a label: the
test images are scored once. Images are split by part unless `--split images` asks for the split of
most published figures, in which other exposures of the tiles of the test train. A map is compared
with the mask of its image at every second pixel of either side, over the images of one kind of
defect. "thumbnails" is no detector but a control: the distance to the nearest of all training
images, each shrunk to 8 x 8 pixels and standardised.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from oddgan import (
    Autoencoder,
    Combination,
    GANomaly,
    PatchDiscriminator,
    PCAReconstruction,
    datasets,
)
from oddgan.detectors import Detector
from oddgan.evaluation import DefectFree, Split, evaluate_promises
from oddgan.evaluation.maps import evaluate_maps

#: Half the size of the tiles, as cracks are some pixels wide then.
_COMMON: dict[str, Any] = {
    "image_size": 0.5,
    "illumination_correction": 6.0,  # light falls on tiles unevenly, and no two exposures are alike
    "patch_aggregation": "map",  # a blowhole is smaller than a patch
    "normalize_by_location": True,  # edges of a tile are odd in all normal images
    "calibration_fraction": 0.2,  # of some 125 parts; 5 % takes 19 of them
    "health": False,
}
_COMPONENTS = {**_COMMON, "patch_size": 16, "stride": 8, "latent_dim": 8}
_LEARNT = {
    **_COMMON,
    "patch_size": 32,
    "stride": 16,
    "patch_augment": "flip",
    "latent_dim": 32,
    "width": 16,
    "max_steps": 1000,
}
_PLACES = {
    **_COMMON,
    "patch_size": 64,
    "stride": 48,
    "patch_augment": "flip",
    "max_steps": 400,
    "min_steps": 400,
}


class Thumbnails:
    """The distance to the nearest training image, of 8 x 8 standardised pixels each."""

    def fit(self, X: NDArray[Any], groups: object = None) -> Self:
        """Keep the thumbnails of all training images."""
        self.neighbours_ = NearestNeighbors(n_neighbors=1).fit(self._small(X))
        return self

    def anomaly_score(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return the distances, (n,)."""
        found: NDArray[np.float64] = self.neighbours_.kneighbors(self._small(X))[0][:, 0]
        return found

    @staticmethod
    def _small(X: NDArray[Any]) -> NDArray[np.float64]:
        shrunk = [Image.fromarray(image).resize((8, 8), Image.Resampling.BOX) for image in X]
        rows = np.stack([np.asarray(image, dtype=np.float64).ravel() for image in shrunk])
        found: NDArray[np.float64] = (rows - rows.mean(1, keepdims=True)) / rows.std(
            1, keepdims=True
        )
        return found


METHODS: dict[str, Callable[[int], Any]] = {
    "thumbnails": lambda seed: Thumbnails(),
    # What OddGAN(patch_size=16, image_size=0.5) is.
    "components": lambda seed: PCAReconstruction(**_COMPONENTS, random_state=seed),
    # What each of its three rules is worth: without it.
    "components-whole-light": lambda seed: PCAReconstruction(
        **{**_COMPONENTS, "illumination_correction": True}, random_state=seed
    ),
    "components-by-patches": lambda seed: PCAReconstruction(
        **{**_COMPONENTS, "patch_aggregation": "top"}, random_state=seed
    ),
    "components-anywhere": lambda seed: PCAReconstruction(
        **{**_COMPONENTS, "normalize_by_location": False}, random_state=seed
    ),
    "autoencoder": lambda seed: Autoencoder(**_LEARNT, random_state=seed),
    "autoencoder-population": lambda seed: Autoencoder(**_LEARNT, n_members=5, random_state=seed),
    "untrained": lambda seed: Autoencoder(**{**_LEARNT, "max_steps": 0}, random_state=seed),
    "ganomaly": lambda seed: GANomaly(**_LEARNT, random_state=seed),
    "ganomaly-without-adversary": lambda seed: GANomaly(**_LEARNT, w_adv=0, random_state=seed),
    "patches": lambda seed: PatchDiscriminator(**_PLACES, random_state=seed),
    "population": lambda seed: PatchDiscriminator(**_PLACES, n_members=5, random_state=seed),
    "both": lambda seed: Combination(
        [PCAReconstruction(**_COMPONENTS), PatchDiscriminator(**_PLACES)],
        calibration_fraction=0.3,
        random_state=seed,
    ),
}
_WIDTH, _HEIGHT = 120, 80


def main() -> None:
    """Measure one method on several splits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("method", choices=METHODS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--maps", type=int, default=3, help="Splits whose maps are measured too; none of both."
    )
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--split", choices=["parts", "images"], default="parts")
    asked = parser.parse_args()
    tiles = datasets.load("magnetic-tile", size=None)
    found = []
    for number, seed in enumerate(asked.seeds):
        split = divided(tiles, asked.split, seed)
        detector = METHODS[asked.method](seed)
        start = time.process_time()
        assert tiles.groups is not None
        groups = tiles.groups[split.train] if asked.split == "parts" else None
        detector.fit(tiles.X[split.train], groups=groups)
        fitted = time.process_time()
        scores = detector.anomaly_score(tiles.X[split.test])
        scored = time.process_time()
        result = {
            "seed": seed,
            "image_auroc": by_kind(tiles.y[split.test], split.y_test, scores),
            "against_the_first_90": by_kind(*with_first(90, tiles, split, scores)),
            "fit_seconds": fitted - start,
            "score_seconds": scored - fitted,
        }
        if hasattr(detector, "calibration_scores_"):
            result["promises"] = promises(tiles, split, scores, detector.calibration_scores_)
        if number < asked.maps and isinstance(detector, Detector):
            result["maps"] = of_maps(tiles, detector)
        found.append(result)
        asked.out.write_text(json.dumps(found, indent=1))
        print(json.dumps(result), flush=True)
        if asked.picture and number == 0:
            picture(tiles, detector, asked.picture)


def promises(
    tiles: datasets.Dataset,
    split: Split,
    scores: NDArray[np.float64],
    calibration: NDArray[np.float64],
) -> dict[str, dict[str, Any]]:
    """Return what came of promises, by which normal images are judged with the defects."""
    assert tiles.groups is not None
    damaged = np.unique(tiles.groups[~tiles.is_class("free")])
    normal, of_damaged = split.y_test == 0, np.isin(tiles.groups[split.test], damaged)
    which = {
        "tiles without a defect": ~normal | ~of_damaged,
        "normal images of tiles with one": ~normal | of_damaged,
        "all": ~normal | normal,
    }
    return {
        name: evaluate_promises(split.y_test[some], scores[some], calibration).as_dict()
        for name, some in which.items()
    }


def divided(tiles: datasets.Dataset, by: str, seed: int) -> Split:
    """Split by part, or draw a fifth of the defect-free images, whatever they show, to test."""
    if by == "parts":
        return DefectFree(seed=seed).split(tiles)
    return DefectFree(seed=seed).split(replace(tiles, groups=np.arange(len(tiles))))


def with_first(
    n: int, tiles: datasets.Dataset, split: Split, scores: NDArray[np.float64]
) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.float64]]:
    """Return kinds, truths and scores of the anomalies and of the first n normal test images."""
    kept = (split.y_test == 1) | (np.cumsum(split.y_test == 0) <= n)
    return tiles.y[split.test][kept], split.y_test[kept], scores[kept]


def by_kind(
    kinds: NDArray[Any], odd: NDArray[np.int64], scores: NDArray[np.float64]
) -> dict[str, float]:
    """Return the AUROC of all anomalies and of each kind, each against all normal images."""
    found = {"all": float(roc_auc_score(odd, scores))}
    for kind in np.unique(kinds[odd == 1]):
        some = (odd == 0) | (kinds == kind)
        found[str(kind)] = float(roc_auc_score(odd[some], scores[some]))
    return found


def of_maps(tiles: datasets.Dataset, detector: Detector) -> dict[str, dict[str, float]]:
    """Return the AUROC of pixels and the AUPRO over the images of each kind of defect."""
    assert tiles.masks is not None
    found = {}
    for kind in tiles.classes[1:]:
        rows = np.flatnonzero(tiles.is_class(kind))
        maps = detector.explain(tiles.X[rows]).anomaly_map  # type: ignore[union-attr]
        metrics = evaluate_maps(
            [mask[::2, ::2] for mask in tiles.masks[rows]], [one[::2, ::2] for one in maps]
        )
        found[kind] = {"pixel_auroc": metrics.pixel_auroc, "aupro": metrics.aupro}
    return found


def picture(tiles: datasets.Dataset, detector: Detector, path: Path) -> None:
    """Draw two tiles of each kind with the largest masks' median: image, mask and map."""
    assert tiles.masks is not None
    columns = []
    for kind in tiles.classes[1:]:
        rows = np.flatnonzero(tiles.is_class(kind))
        rows = rows[np.argsort([tiles.masks[row].mean() for row in rows])]
        for row in rows[[len(rows) // 2, 3 * len(rows) // 4]]:
            one = np.asarray(detector.explain(tiles.X[[row]]))[0]
            top = 2 * detector.pixel_threshold_  # type: ignore[operator]
            images = [tiles.X[row], 255 * tiles.masks[row], 255 * (one / top).clip(0, 1)]
            columns.append(np.vstack([small(image) for image in images]))
    Image.fromarray(np.hstack(columns)).save(path, optimize=True)


def small(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Return an image as a thumbnail with a border."""
    fitted = Image.fromarray(image.astype(np.uint8)).resize((_WIDTH, _HEIGHT))
    return np.pad(np.asarray(fitted), 1, constant_values=128)


if __name__ == "__main__":
    main()
