"""Detectors: the methods, one file each. A new one needs one more line here."""

from typing import Any

from oddgan.estimator import BaseDetector as BaseDetector
from oddgan.estimator import Detector as Detector
from oddgan.estimator import ImageExplanation as ImageExplanation
from oddgan.estimator import TableExplanation as TableExplanation
from oddgan.estimator import from_state, restored_params

from .adgan import ADGAN as ADGAN
from .adversarial_autoencoder import AdversarialAutoencoder as AdversarialAutoencoder
from .alad import ALAD as ALAD
from .anogan import AnoGAN as AnoGAN
from .autoencoder import Autoencoder as Autoencoder
from .dagmm import DAGMM as DAGMM
from .default import OddGAN as OddGAN
from .dsebm import DSEBM as DSEBM
from .egbad import EGBAD as EGBAD
from .fanogan import FAnoGAN as FAnoGAN
from .ganomaly import GANomaly as GANomaly
from .mogaal import MOGAAL as MOGAAL
from .patch_discriminator import PatchDiscriminator as PatchDiscriminator
from .pca import PCAReconstruction as PCAReconstruction
from .retrieval_critic import RetrievalCritic as RetrievalCritic
from .skip_ganomaly import SkipGANomaly as SkipGANomaly
from .space_critic import SpaceCritic
from .vae import VAE as VAE

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
