"""The parameters that all detectors share."""

from numbers import Integral, Real
from typing import Any, Literal, TypedDict, cast

from sklearn.utils._param_validation import Interval, RealNotInt, StrOptions

from oddgan.inputs import PATCH_SCORES, SCALINGS, PatchAugment, PatchScore, Scaling
from oddgan.training import PRECISIONS


class SharedParams(TypedDict, total=False):
    """Names and types of the shared parameters; DOCUMENTATION says what they mean."""

    latent_dim: int | None
    width: int | None
    epochs: int
    min_steps: int
    max_steps: int | None
    batch_size: int
    n_members: int
    learning_rate: float | None
    ema_decay: float
    reconstruction_weight: float
    denoise: float
    augment: Literal["auto", "shift", "warp"] | None
    target_fpr: float
    pixel_fpr: float
    calibration_fraction: float
    combine: Literal["paper", "standardised"]
    n_references: int
    scaling: Scaling
    image_size: int | tuple[int, int] | float | None
    patch_size: int | tuple[int, int] | None
    stride: int | tuple[int, int] | None
    patches_per_image: int
    patch_augment: PatchAugment | None
    patch_score: PatchScore
    by_place: bool
    level_images: bool | float
    channels: Literal["auto", "first", "last"]
    stream: bool | Literal["auto"]
    device: Literal["auto", "cpu", "cuda"]
    precision: str
    checkpoint: Any
    health: bool
    verbose: int
    random_state: Any


_SHARE = Interval(RealNotInt, 0, 1, closed="neither")
CONSTRAINTS: dict[str, list[Any]] = {
    "latent_dim": [Interval(Integral, 1, None, closed="left"), None],
    "width": [Interval(Integral, 2, None, closed="left"), None],
    "epochs": [Interval(Integral, 1, None, closed="left")],
    "min_steps": [Interval(Integral, 1, None, closed="left")],
    "max_steps": [Interval(Integral, 0, None, closed="left"), None],
    "batch_size": [Interval(Integral, 2, None, closed="left")],
    "n_members": [Interval(Integral, 1, None, closed="left")],
    "learning_rate": [Interval(Real, 0, None, closed="neither"), None],
    "ema_decay": [Interval(Real, 0, 1, closed="left")],
    "reconstruction_weight": [Interval(Real, 0, None, closed="left")],
    "denoise": [Interval(Real, 0, 1, closed="left")],
    "augment": [StrOptions({"auto", "shift", "warp"}), None],
    "target_fpr": [Interval(Real, 0, 1, closed="neither")],
    "pixel_fpr": [Interval(Real, 0, 1, closed="neither")],
    "calibration_fraction": [Interval(Real, 0, 1, closed="neither")],
    "combine": [StrOptions({"paper", "standardised"})],
    "n_references": [Interval(Integral, 2, None, closed="left")],
    "scaling": [StrOptions(set(SCALINGS))],
    "image_size": [Interval(Integral, 8, None, closed="left"), _SHARE, tuple, list, None],
    "patch_size": [Interval(Integral, 8, 256, closed="both"), tuple, list, None],
    "stride": [Interval(Integral, 1, 256, closed="both"), tuple, list, None],
    "patches_per_image": [Interval(Integral, 1, None, closed="left")],
    "patch_augment": [StrOptions({"flip", "turn"}), None],
    "patch_score": [StrOptions(set(PATCH_SCORES))],
    "by_place": ["boolean"],
    "level_images": ["boolean", Interval(Real, 1, None, closed="neither")],
    "channels": [StrOptions({"auto", "first", "last"})],
    "stream": [bool, StrOptions({"auto"})],
    "device": [StrOptions({"auto", "cpu", "cuda"})],
    "precision": [StrOptions(set(PRECISIONS))],
    "checkpoint": "no_validation",  # type: ignore[dict-item]
    "health": ["boolean"],
    "verbose": ["verbose"],
    "random_state": ["random_state"],
}

DOCUMENTATION = """
    Other Parameters
    ----------------
    score : str or sequence of str
        Beside a method's own scores: the name of a part that all detectors share, or of
        several parts and own scores, of which one that is named twice counts twice; or "local",
        which is ("residual_relative", "latent_density", "latent_knn"), or "local_and_input", which
        is ("residual_relative", "latent_density", "latent_knn", "residual_relative",
        "input_density", "input_knn"). A part is a measure in a space, SPACE_MEASURE. There are

        - "latent": the latent vectors, each direction divided by its standard deviation;
        - "residual": x minus its reconstruction;
        - "feature": the last hidden layer of the discriminator, where there is one;
        - "input": the encoded sample itself, an image averaged over squares to at most 16 pixels
          along its longer side; no network has a part in it.

        The measures go by training rows (see `n_references`):

        - "mahalanobis" (of latent, residual, feature): the distance from their mean in units of
          their covariance, shrunk after Ledoit and Wolf; for at most 1,024 numbers;
        - "knn" (of latent, feature, input): the mean distance to the 5 nearest, for images 20;
        - "density" (of latent, feature, input): the mean distance to the 20 nearest, divided by
          the mean that each of these has to its own 20 nearest;
        - "relative" (of residual): the mean square of the residual, divided by the mean that the
          20 nearest in the latent space have; odd if small, too: easier than its like;
        - "critic" (of latent, feature, input): that of :class:`RetrievalCritic`, trained in that
          space for at most as many rounds as the detector.

        Each part is put on the scale of the held-out rows, (part - median) / (interquartile
        range / 1.349), a distance after taking log(part + 0.001 median); the score is their
        mean. After `fit` a `score` that names some of the learnt parts needs no other fit for
        `anomaly_score`; what decides (`predict`, `p_value` ...) goes by the score of the fit.
    latent_dim : int or None, default=None
        Size of the latent vector z; None is the paper's for images and for tables.
    width : int or None, default=None
        Units of the first hidden layer (tables) or channels of the first strided convolution
        (images); None is 64.
    epochs : int, default=50
        Passes over the training rows.
    min_steps : int, default=500
        Fewest batches to train on, however many epochs that is: on few rows 50 epochs leave a
        generator untrained.
    max_steps : int or None, default=3000
        Most batches to train on, however few epochs that is; None for no limit. There is no
        early stopping: nothing is chosen by what is measured. 0 trains nothing: the networks
        score as they were drawn, a control that shows what training adds.
    batch_size : int, default=64
        Rows a batch.
    n_members : int, default=1
        Members of a population: networks with first weights, batches and held-out rows of their
        own. Each member's score s becomes arsinh((s - median) / (interquartile range / 1.349)),
        by the rows that it alone holds out of the training rows, as large a share as
        `calibration_fraction`; `anomaly_score` is the mean over the members, and tells with
        ``return_std=True`` how much they disagree. Parts of the score, explanations and
        reconstructions are means too, and latent vectors stand side by side. Tables, and on a
        GPU images, train in one pass: on a CPU eight members take half to two thirds of the time.
        On a CPU the members of images train one after the other, and those of RetrievalCritic
        everywhere.

        The rows that threshold and p-values are made from are held out by all members, as with
        one. Where these would be too few for `target_fpr`, the members leave out every row in
        turn, and it is scored by those that did (cross-conformal prediction, Vovk 2015). What is
        promised is then less exact: at most twice the share for the p-values of that paper; and
        in practice fewer alarms than promised, as new samples have the mean of all members, which
        varies less. A `score` other than that of the fit needs another fit.
    learning_rate : float or None, default=None
        Learning rate of Adam; None is 1e-3 for tables and, where there is a discriminator,
        2e-4 for images.
    ema_decay : float
        Decay of the moving average of the weights that scores are computed with, in [0, 1);
        0 scores with the last weights.
    reconstruction_weight : float, default=0
        Weight of one more loss of a round, the mean over the encoded inputs of (x - G(E(x)))^2,
        that updates encoder and generator. Not in the papers; it ties the two of a BiGAN
        together. For ALAD, AdversarialAutoencoder, Autoencoder, EGBAD, GANomaly and SkipGANomaly
        (there (x - G(x))^2); 0 for all others.
    denoise : float, default=0
        How far samples are corrupted where they enter a reconstruction that is compared with
        them as they were, in [0, 1): that of `reconstruction_weight`; for AdversarialAutoencoder,
        Autoencoder, GANomaly and SkipGANomaly that of their own loss too. In tables it is the
        share of cells that get their column's value in another row of the batch, and numbers
        also get noise of 0.2 units of their scale; on pixels, in [-1, 1], it is the deviation of
        Gaussian noise. 0.15 for tables and 0.2 for images were found to help; the VAE was found
        to lose by it, and takes none.
    augment : {"auto", "shift", "warp"} or None, default="auto"
        "shift" moves each image of a batch by up to 2 pixels along either axis, reflected at its
        edges, for all losses of the round. "auto" does so where `score` has a part that was
        found to gain from it ("local", "local_and_input", "latent_knn", "latent_density" or
        "residual_relative", and RetrievalCritic's own): the residual by itself was found to lose.
        "warp" is `denoise` with another corruption: where an image enters a reconstruction that
        is compared with it as it was, it is turned (up to 15 degrees), stretched (15 %), slanted
        (0.1) and moved (1/14 of a side) at random, so that the latent vector says less of where
        and how an object lies. None does nothing.
    target_fpr : float, default=0.05
        Share of normal samples that may be flagged; sets the threshold.
    pixel_fpr : float, default=0.01
        Share of the pixels of normal images that `anomaly_mask` of an explanation may flag; sets
        `pixel_threshold_`, by the maps of at most 256 held-out images (32 for detectors that
        search), 4,096 pixels of each. Pixels of an image are alike, so that on few held-out
        images it holds only roughly. No effect on tables.
    calibration_fraction : float, default=0.1
        Share of the rows given to `fit` that is held out of training, to set the threshold and
        the p-values.
    combine : {"paper", "standardised"}, default="paper"
        How the parts of a score (see `score_components`) become one: their sum with the weights of
        the paper, or the same after each part has been brought to the scale of the held-out
        normal samples, (part - mean) / standard deviation. As published, a sum over pixels
        swamps a term that is bounded. It has no effect on a score of shared parts.
    n_references : int, default=10000
        Most training rows, drawn at random, that a score of shared parts (see `score` above)
        learns from and measures distances to. They are saved with the model.
    scaling : str, default="standard"
        How numeric columns of a table are scaled, by statistics of the training rows:
        "standard", "minmax", "robust"; "rank", the normal score of the rank; "two_view", both the
        standardised value and the rank; "auto", both for the columns where the two differ,
        "standard" for the others; "none". More in :func:`oddgan.inputs.fit_codec`.
    image_size : int, (int, int), float or None, default=None
        Size (h, w) that images are resized to, 8 to 256 a side. None keeps equal sizes; image
        files of different sizes go to their median size, scaled down to at most 64 a side. With a
        `patch_size` it may be larger, or a share in (0, 1) of each image's own size, and None
        keeps the own size of each.
    patch_size : int, (int, int) or None, default=None
        Size (h, w), 8 to 256 a side, of overlapping patches that images are cut into, as Schlegl
        et al. (2017, AnoGAN) did: the networks see patches alone, and images may be of any size
        and differ in it. Smaller ones are continued by reflection. Maps and reconstructions have
        the image's size, and a pixel's value is the mean over the patches that it is in, weighted
        with sin^2, highest in a patch's middle; `embed` is the mean of all patches. Held-out
        samples, threshold and p-values are images, the scale of score parts is of patches.
    stride : int, (int, int) or None, default=None
        How far the patches of an image that is scored are apart, 1 to their side; None is half of
        it. The last ones end at the image's border.
    patches_per_image : int, default=16
        Patches that are cut out of each training image, at random places, drawn anew each epoch.
        What is learnt of training samples otherwise (`n_references`, weights in closed form) is
        learnt from as many of each.
    patch_augment : {"flip", "turn"} or None, default=None
        What is done at random to patches that train: "flip" mirrors them along either axis,
        "turn" exchanges the axes too (the eight symmetries of a square). For images without an
        upright position, such as surfaces.
    patch_score : {"max", "top", "mean", "map"}, default="top"
        How the scores of patches become that of their image: the greatest; the mean of the
        greatest twentieth, at least one; the mean of all. A mean drowns what is small, the
        greatest grows with the size of an image by chance alone. So do the parts of a score.
        "map" goes by the map instead, at the size that images are cut at, smoothed by a Gaussian
        of 1 pixel: the mean of its greatest 0.4 %. It finds what is smaller than a patch, and
        takes the detector's own scores only, whose parts are then as for "top".
    by_place : bool, default=False
        Whether the score s of each patch becomes arsinh((s - median) / (interquartile range /
        1.349)) by what training images have at the same place, of 25: at either border, within
        an eighth of it, or between. For objects that all images show alike, with odd edges. With
        ``patch_score="map"`` each pixel is divided so, (value - mean) / standard deviation, by
        which border is nearest and how near, up to 24 pixels.
    level_images : bool or float, default=False
        Whether the light is taken out of each image that is cut. True takes off the median of its
        pixels and divides by 3 times (their standard deviation + 0.06), in units of [-1, 1]: an
        exposure then does not count. A number above 1 also levels light that varies over the
        image: off the logarithm of each pixel's brightness (0 to 2, + 1/16) is taken its mean
        around, by a Gaussian of this many pixels' deviation at the size that images are cut at;
        what is left is divided by 3 times (its standard deviation + 0.1).
    channels : {"auto", "first", "last"}, default="auto"
        Which axis of a 4-D array holds the channels; "auto" takes the one of length 1 to 4.
    stream : bool or "auto", default="auto"
        Whether to read training rows anew each epoch instead of holding them on the device;
        "auto" does when they would fill more than a quarter of its memory.
    device : {"auto", "cpu", "cuda"}, default="auto"
        Where to compute.
    precision : {"32-true", "bf16-mixed"}, default="32-true"
        Precision of training; scores are computed in 32 bit.
    checkpoint : path-like or None, default=None
        File that an interrupted fit (Ctrl-C, kill) is resumed from by calling `fit` again with
        the same data and parameters; removed when the fit is complete.
    health : bool, default=True
        Whether `fit` checks what it has learnt, without labels: see `health_`. It takes as long
        as scoring some 1,500 samples, with a score of shared parts up to twice that.
    verbose : int, default=0
        1 shows a progress bar with losses and time left, and warns of all that `health_` lists.
    random_state : int, RandomState or None, default=None
        Seed of everything that is drawn. The global random state is neither read nor changed.

    Attributes
    ----------
    networks_ : dict of str to torch.nn.Module
        The trained networks by role, in evaluation mode; those of a population by the number of
        the member too, as in "0/encoder".
    members_ : list of detectors
        The members of a population, each a fitted detector; empty if `n_members` is 1.
    threshold_ : float
        Samples with a greater `anomaly_score` are flagged.
    pixel_threshold_ : float or None
        Pixels with a greater value in `anomaly_map` are flagged; None for tables.
    offset_ : float
        Minus `threshold_`: ``decision_function = score_samples - offset_``.
    calibration_scores_ : ndarray of shape (n_held_out,)
        Anomaly scores of the held-out normal samples, sorted; of groups one sample of each.
    health_ : tuple of oddgan.health.HealthCheck
        What is wrong with the fit, with the remedy: a score that noise does not raise, a collapsed
        generator, a discriminator that answers a constant, one column that decides everything, too
        few rows. Empty if nothing was found; `health_report` says it in words. Of what is severe a
        `HealthWarning` warns.
    proba_calibration_ : oddgan.decisions.ProbaCalibration
        After `calibrate_proba`: the method, how many labelled samples of each class, and the
        prevalence that `predict_proba` is for.
    history_ : list of dict
        Mean losses in the course of training, with the round ("step"); of a population the mean
        over its members, and ``members_[k].history_`` is that of one.
    n_train_ : int
        Number of rows that trained; those of `calibration_scores_` did not, unless `crossed_`.
        Image files that were skipped do not count. Each of `members_` has the number of its own.
    crossed_ : bool
        Whether each training row was held out too, by some of the members (see `n_members`).
    n_features_in_ : int
        Number of columns of a table (tables only).
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where they were given and all are strings.
"""


def as_published(**settings: Any) -> SharedParams:
    """Return a paper's settings: its epochs are all that says how long to train."""
    published: dict[str, Any] = {"min_steps": 1, "max_steps": None, **settings}
    return cast("SharedParams", published)
