"""Detectors: the methods, one file each. A new one needs one more line here."""

from typing import Any

from oddgan.estimator import (
    BaseDetector,
    Detector,
    ImageExplanation,
    TableExplanation,
    from_state,
    restored_params,
)

from .adgan import ADGAN
from .adversarial_autoencoder import AdversarialAutoencoder
from .alad import ALAD
from .anogan import AnoGAN
from .autoencoder import Autoencoder
from .dagmm import DAGMM
from .default import OddGAN
from .dsebm import DSEBM
from .egbad import EGBAD
from .fanogan import FAnoGAN
from .ganomaly import GANomaly
from .mogaal import MOGAAL
from .patch_discriminator import PatchDiscriminator
from .pca import PCAReconstruction
from .retrieval_critic import RetrievalCritic
from .skip_ganomaly import SkipGANomaly
from .space_critic import SpaceCritic
from .vae import VAE

__all__ = [
    "ADGAN",
    "ALAD",
    "DAGMM",
    "DSEBM",
    "EGBAD",
    "MOGAAL",
    "VAE",
    "AdversarialAutoencoder",
    "AnoGAN",
    "Autoencoder",
    "BaseDetector",
    "Detector",
    "FAnoGAN",
    "GANomaly",
    "ImageExplanation",
    "OddGAN",
    "PCAReconstruction",
    "PatchDiscriminator",
    "RetrievalCritic",
    "SkipGANomaly",
    "TableExplanation",
    "all_detectors",
    "restored",
]

# The critic of neighbourhoods is a detector, and a component of any detector's score.
Detector.space_critic = SpaceCritic


def all_detectors() -> dict[str, type[BaseDetector]]:
    """Return the detectors by their names on the command line, in alphabetical order."""
    classes = [value for value in globals().values() if isinstance(value, type)]
    detectors = [cls for cls in classes if issubclass(cls, BaseDetector)]
    named = {cls.__name__.lower(): cls for cls in detectors if cls not in (BaseDetector, Detector)}
    return dict(sorted(named.items()))


def restored(header: dict[str, Any], arrays: dict[str, Any], device: str | None, path: str) -> Any:
    """Return the fitted detector whose model file holds `header` and `arrays`.

    Raises
    ------
    ValueError
        This version has no such detector.
    """
    cls = all_detectors().get(header["detector"])
    if cls is None or not issubclass(cls, Detector):
        raise ValueError(
            f"{path} holds a {header['detector']}, which this version of OddGAN does not have"
        )
    detector = cls(**restored_params(header["params"], device))
    detector.adopt(from_state(detector, header, arrays))
    if "chosen_by" not in header:
        return detector
    chosen_by = {**restored_params(header["chosen_by"]), "device": detector.device}
    return OddGAN(**chosen_by).adopt(detector)
