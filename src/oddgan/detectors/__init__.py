"""Detectors: the methods, one file each. A new one needs one more line here."""

from typing import Any

from oddgan.estimator import serialization
from oddgan.estimator.detector import Detector as Detector
from oddgan.estimator.explanation import ImageExplanation as ImageExplanation
from oddgan.estimator.explanation import TableExplanation as TableExplanation
from oddgan.estimator.score_names import score_named as score_named
from oddgan.estimator.score_names import score_to_learn as score_to_learn

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
from .vae import VAE as VAE


def all_detectors() -> dict[str, type[Detector]]:
    """Return the detectors by their names on the command line, in alphabetical order."""
    found = [cls for cls in globals().values() if isinstance(cls, type) and cls is not Detector]
    named = {cls.__name__.lower(): cls for cls in found if issubclass(cls, Detector)}
    return dict(sorted(named.items()))


def restored(header: dict[str, Any], arrays: dict[str, Any], device: str | None, path: str) -> Any:
    """Return the fitted detector of which a model file holds `header` and `arrays`.

    Raises
    ------
    ValueError
        This version has no such detector.
    """
    detector = serialization.restore(all_detectors(), header, arrays, device, path)
    if "chosen_by" not in header:
        return detector
    params = serialization.as_given(header["chosen_by"])
    return OddGAN.of({**params, "device": detector.device}, detector)
