"""PatchDiscriminator: a discriminator of places, trained on pseudo-anomalies."""

from collections.abc import Iterator
from numbers import Integral
from typing import Any, ClassVar, cast

import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor, nn
from torch.nn import functional as F

from oddgan.estimator import Detector, Networks, NetworkSpec, parameter
from oddgan.networks import condition_on_rows
from oddgan.networks.architectures.patch import PatchDiscriminator as Body
from oddgan.networks.architectures.patch import standardised
from oddgan.networks.architectures.pseudo import PseudoAnomalies
from oddgan.scores import Score
from oddgan.training import Loss

#: Share of a map's places whose mean is the score "top".
TOP = 0.01
#: One image in so many of a batch stays as it is.
CLEAN = 4


class PatchDiscriminator(Detector):
    r"""Patch discriminator: it learns from synthetic defects which locations look normal.

    A fully convolutional discriminator D gives every place i of an image the probability
    :math:`D_i(x)` that nothing is wrong there. Its opponents are normal images into which
    something foreign was put at a random place m: \tilde x = (1 - \alpha m) x + \alpha m t, with
    t the texture of another image, another brightness, grain or blur. Of `n_candidates` such
    images the one is taken that D takes for normal most, as a generator would. D minimises

    .. math::
        3 \, \mathbb{E}_i [w_i \, \mathrm{CE}(D_i(\tilde x), 1 - m_i)]
        + 1 - \frac{2 \sum_i p_i m_i + 1}{\sum_i p_i + \sum_i m_i + 1}, \qquad p = 1 - D(\tilde x),

    with :math:`w_i = 0.3 + 0.7 (p_i - m_i)^2`: cross-entropy with the weights of a focal loss
    (Lin et al. 2017) and the Dice loss (Milletari et al. 2016), as most places are normal.

    Parameters
    ----------
    score_name : {"top", "mean"}, default="top"
        What the anomaly score is made of, the map p:

        - "top": the mean of the largest hundredth of p, for defects that are small;
        - "mean": the mean of p, for those that take much of the image.
    crop_size : int, default=64
        Side of the crops that D is trained on, in pixels; smaller images are taken whole. Its map
        covers the whole image, so more of it is in view: no `patch_size` is needed unless images
        differ in size or have more than 256 pixels a side.
    n_candidates : int, default=1
        Pseudo-anomalies that the hardest one is chosen of, for each image; 1 is without a choice.
    **options
        See Other Parameters. `width`, the channels at half the size of the image, is 16 by
        default; `ema_decay` is 0.99, `batch_size` 16 and `learning_rate` 5e-3. `latent_dim` has no
        effect. For photographs give an `image_size` at which defects are a few pixels wide.

    Notes
    -----
    No paper's method: it takes its opponents from CutPaste (Li et al. 2021), NSA (Schlueter et al.
    2022) and DRAEM (Zavrtanik et al. 2021), whose discriminative half it is without the
    autoencoder; and, like OLED (Jewell et al. 2022), the choice of what is hard from adversarial
    training. D sees images with their median taken off and divided by their deviation; while it
    trains, also in a light that varies slowly, which it so learns to pass over. Its map has half
    the sides of the image, and is enlarged again.

    `explain` gives the map p, with the channels' shares alike.

    Use it when defects are local, as on photographs of surfaces, and there are too few images to
    learn how all normal ones look. What it learns is what a foreign place looks like.

    Do not use it when normal images are single objects on a plain ground (digits), whose
    anomalies are other objects and have no place, or when defects look unlike anything that was
    put into its images: it knows those alone.

    References
    ----------
    C.-L. Li, K. Sohn, J. Yoon, T. Pfister. CutPaste: Self-Supervised Learning for Anomaly
    Detection and Localization. CVPR 2021, arXiv 2104.04015.
    V. Zavrtanik, M. Kristan, D. Skocaj. DRAEM: A Discriminatively Trained Reconstruction Embedding
    for Surface Anomaly Detection. ICCV 2021, arXiv 2108.07610.
    H. M. Schlueter, J. Tan, B. Hou, B. Kainz. Natural Synthetic Anomalies for Self-Supervised
    Anomaly Detection and Localization. ECCV 2022, arXiv 2109.15222.
    J. T. Jewell, V. R. Khazaie, Y. Mohsenzadeh. One-Class Learned Encoder-Decoder Network with
    Adversarial Context Masking for Novelty Detection. WACV 2022, arXiv 2103.14953.

    Examples
    --------
    >>> import numpy as np
    >>> from oddgan import PatchDiscriminator
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(0.5, 0.05, size=(100, 16, 16)).cumsum(1).clip(0, 9) / 9
    >>> odd = X[:20].copy()
    >>> odd[:, 6:10, 6:10] = 0
    >>> detector = PatchDiscriminator(width=8, min_steps=200, random_state=0).fit(X[20:])
    >>> scores = detector.anomaly_score(np.concatenate([X[:20], odd]))
    >>> bool(scores[:20].max() < scores[20:].min())
    True
    """

    reference = "after Li et al. 2021 (CutPaste), CVPR; Zavrtanik et al. 2021 (DRAEM), ICCV"
    scores = ("top", "mean")
    kinds = ("image",)
    unavailable: ClassVar[dict[str, str]] = {
        "reconstruct": "it only discriminates, and does not reconstruct",
        "embed": "it has no latent space",
    }
    batch_size: int = 16
    ema_decay: float = 0.99
    _learning_rates: ClassVar[dict[str, float]] = {"image": 5e-3}
    _initialisation: ClassVar[dict[str, Any]] = {"image": "xavier"}

    crop_size: int = parameter(default=64, constraint=[Interval(Integral, 8, None, closed="left")])
    n_candidates: int = parameter(
        default=1, constraint=[Interval(Integral, 1, None, closed="left")]
    )

    def _networks(self, spec: NetworkSpec) -> dict[str, nn.Module]:
        if spec.kind == "table":
            raise ValueError("PatchDiscriminator takes images only: a row has no places")
        return {
            "discriminator": Body(spec.shape, width=spec.width or 16),
            "pseudo_anomalies": PseudoAnomalies(),
        }

    def _losses(self, nets: Networks, x: Tensor, z: Tensor) -> Iterator[Loss]:
        D, maker = nets["discriminator"], cast("PseudoAnomalies", nets["pseudo_anomalies"])
        x = crops(standardised(x), self.crop_size, maker.uniform)
        n_clean = len(x) // CLEAN
        corrupted, mask = self._hardest(D, maker, x, n_clean)
        lit = maker.lit(torch.cat([x[:n_clean], corrupted]))
        target = torch.cat([torch.zeros_like(mask[:1]).expand(n_clean, -1, -1), mask])
        yield Loss("discriminator", place_loss(D(lit)[0], target), ("discriminator",))

    def _hardest(
        self, D: nn.Module, maker: PseudoAnomalies, x: Tensor, first: int
    ) -> tuple[Tensor, Tensor]:
        """Return pseudo-anomalies of the images from `first` on, and their masks as D's map."""
        candidates = [maker(x[first:]) for _ in range(self.n_candidates)]
        images = torch.stack([image for image, _ in candidates])
        masks = torch.stack([F.avg_pool2d(m, 2, ceil_mode=True).squeeze(1) for _, m in candidates])
        if self.n_candidates == 1:
            return images[0], masks[0]
        D.eval()
        with torch.no_grad(), condition_on_rows(slice(first, None)):
            odd = torch.stack([torch.sigmoid(-D(image)[0]) for image in images])
        D.train()
        area = masks.sum((2, 3))
        seen = (odd * masks).sum((2, 3)) / area.clamp(min=1e-3)
        # What has no place is not hard but nothing.
        hardest = torch.where(area > 0, seen, torch.inf).argmin(0)
        rows = torch.arange(len(hardest), device=x.device)
        return images[hardest, rows], masks[hardest, rows]

    def _score(self, nets: Networks, x: Tensor, score: str) -> Score:
        odd = torch.sigmoid(-nets["discriminator"](standardised(x))[0])
        flat = odd.flatten(1)
        n_top = max(1, round(TOP * flat.shape[1]))
        components = {"top": flat.topk(n_top).values.mean(1), "mean": flat.mean(1)}
        enlarged = F.interpolate(
            odd[:, None], x.shape[2:], mode="bilinear", align_corners=False
        ).expand_as(x)
        return Score(components, enlarged / x.shape[1], {score: 1.0})

    def _features(self, nets: Networks, x: Tensor) -> Tensor:
        features: Tensor = nets["discriminator"](standardised(x))[1]
        return features.mean((2, 3))


def crops(images: Tensor, side: int, uniform: nn.Module) -> Tensor:
    """Cut a square of `side` pixels out of each image at random, at most the whole image.

    Each is also mirrored left to right with probability 1/2. `uniform` draws from [0, 1).
    """
    n, _, h, w = images.shape
    height, width = min(side, h), min(side, w)
    draws = uniform(images.new_empty(3, n, 1))
    top, left = (draws[0] * (h - height + 1)).long(), (draws[1] * (w - width + 1)).long()
    rows = top + torch.arange(height, device=images.device)
    columns = left + torch.arange(width, device=images.device)
    columns = torch.where(draws[2] < 0.5, columns, columns.flip(1))
    image = torch.arange(n, device=images.device)
    # Indices around a slice put the channels last.
    return images[image[:, None, None], :, rows[:, :, None], columns[:, None]].movedim(3, 1)


def place_loss(logit: Tensor, mask: Tensor) -> Tensor:
    """Three times the focal cross-entropy of places, and the Dice loss of the batch.

    Parameters
    ----------
    logit : Tensor of shape (n, h, w)
        D's logits that a place is normal.
    mask : Tensor of shape (n, h, w)
        How much of each place is not, in [0, 1].
    """
    odd = torch.sigmoid(-logit)
    weight = 0.3 + 0.7 * (odd - mask).square()
    entropy = F.binary_cross_entropy_with_logits(-logit, mask, reduction="none")
    overlap = (2 * (odd * mask).sum() + 1) / (odd.sum() + mask.sum() + 1)
    return 3 * (weight * entropy).mean() + 1 - overlap
