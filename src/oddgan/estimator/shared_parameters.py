"""The parameters that all detectors share, in the order of a fit."""

from numbers import Integral, Real
from typing import Any, Literal

from sklearn.utils._param_validation import Interval, RealNotInt, StrOptions

from oddgan.inputs import PATCH_AGGREGATIONS, SCALINGS, PatchAggregation, PatchAugment, Scaling
from oddgan.training import PRECISIONS

from .parameters import Parametrised, parameter

_SHARE = Interval(RealNotInt, 0, 1, closed="neither")


def as_published(**settings: Any) -> dict[str, Any]:
    """Return a paper's settings: its epochs alone say how long to train."""
    return {"min_steps": 1, "max_steps": None, **settings}


class SharedParameters(Parametrised):
    """The parameters of every detector, whatever its method."""

    # ------------------------------------------------------------------ networks and training

    latent_dim: int | None = parameter(
        default=None,
        constraint=[Interval(Integral, 1, None, closed="left"), None],
        text="Size of the latent vector z. None takes the paper's size for images and for tables.",
    )
    width: int | None = parameter(
        default=None,
        constraint=[Interval(Integral, 2, None, closed="left"), None],
        text="""
        Units of the first hidden layer (tables) or channels of the first strided convolution
        (images). None is 64.
        """,
    )
    epochs: int = parameter(
        default=50,
        constraint=[Interval(Integral, 1, None, closed="left")],
        text="Passes over the training rows.",
    )
    min_steps: int = parameter(
        default=500,
        constraint=[Interval(Integral, 1, None, closed="left")],
        text="""
        Minimum number of training steps, one batch each, whatever `epochs` says: on few rows 50
        epochs leave a generator untrained.
        """,
    )
    max_steps: int | None = parameter(
        default=3000,
        constraint=[Interval(Integral, 0, None, closed="left"), None],
        text="""
        Maximum number of training steps, whatever `epochs` says; None sets no limit. There is no
        early stopping: no measurement chooses the end. 0 trains nothing. The networks then score
        with their initial weights, a control that shows what training adds.
        """,
    )
    batch_size: int = parameter(
        default=64,
        constraint=[Interval(Integral, 2, None, closed="left")],
        text="Rows per batch.",
    )
    n_members: int = parameter(
        default=1,
        constraint=[Interval(Integral, 1, None, closed="left")],
        text="""
        Members of an ensemble. Each has its own initial weights, batches and held-out rows. The
        score s of a member becomes arsinh((s - median) / (interquartile range / 1.349)), measured
        on a tenth of the training rows, at most 500, which do not train this member.
        `anomaly_score` is the mean over the members;
        ``return_std=True`` also returns how much they disagree. Score components, explanations
        and reconstructions are means too; latent vectors are concatenated. Tables, and images on
        a GPU, train in one pass: on a CPU eight members take half to two thirds of the time. On a
        CPU the members of images train one after the other, and those of RetrievalCritic do so
        everywhere.

        All members hold out the rows that set the threshold and the p-values, as a single
        detector does. Another `score_name` than that of the fit needs another fit.
        """,
    )
    learning_rate: float | None = parameter(
        default=None,
        constraint=[Interval(Real, 0, None, closed="neither"), None],
        text="""
        Learning rate of Adam. None is 1e-3 for tables and, where there is a discriminator, 2e-4
        for images.
        """,
    )
    ema_decay: float = parameter(
        default=0.0,
        constraint=[Interval(Real, 0, 1, closed="left")],
        text="""
        Decay of the moving average of the weights that scores are computed with, in [0, 1). 0
        scores with the last weights.
        """,
    )
    reconstruction_weight: float = parameter(
        default=0.0,
        constraint=[Interval(Real, 0, None, closed="left")],
        text="""
        Weight of one more loss in each training step, the mean of (x - G(E(x)))^2 over the encoded
        inputs, which updates encoder and generator. It is not in the papers; it ties the two
        networks of a BiGAN together. For ALAD, AdversarialAutoencoder, Autoencoder, EGBAD,
        GANomaly and SkipGANomaly (there (x - G(x))^2); it must be 0 for all others.
        """,
    )
    denoise: float = parameter(
        default=0.0,
        constraint=[Interval(Real, 0, 1, closed="left")],
        text="""
        Strength of the corruption of samples that are reconstructed and compared with the clean
        ones, in [0, 1): in the loss of `reconstruction_weight`, and for AdversarialAutoencoder,
        Autoencoder, GANomaly and SkipGANomaly in their own loss too. In tables it is the share of
        cells that get their column's value from another row of the batch; numbers also get noise
        of 0.2 units of their scale. For pixels, in [-1, 1], it is the standard deviation of
        Gaussian noise. 0.15 for tables and 0.2 for images helped in experiments; the VAE lost by
        it, and takes none.
        """,
    )
    augment: Literal["auto", "shift", "affine"] | None = parameter(
        default="auto",
        constraint=[StrOptions({"auto", "shift", "affine"}), None],
        text="""
        "shift" moves each image of a batch by up to 2 pixels along either axis, reflected at its
        edges, for all losses of the training step. "auto" does so where `score_name` has a
        component that gained from it ("local", "local_and_input", "latent_knn", "latent_density"
        or "residual_relative", and RetrievalCritic's own scores); the residual alone lost by it.
        "affine" is another corruption like `denoise`: it rotates (up to 15 degrees), scales
        (15 %), shears (0.1) and moves (1/14 of a side) an image at random where it is
        reconstructed and compared with the original, so that the latent vector says less about
        where and how an object lies. None does nothing.
        """,
    )

    # ------------------------------------------------------------------ decisions and score

    target_fpr: float = parameter(
        default=0.05,
        constraint=[Interval(Real, 0, 1, closed="neither")],
        text="Share of normal samples that may be flagged; it sets the threshold.",
    )
    pixel_fpr: float = parameter(
        default=0.01,
        constraint=[Interval(Real, 0, 1, closed="neither")],
        text="""
        Share of the pixels of normal images that `anomaly_mask` of an explanation may flag. It
        sets `pixel_threshold_`, from the maps of at most 256 held-out images (32 for detectors
        that search), 4,096 pixels of each. The pixels of an image are alike, so with few held-out
        images the share holds only roughly. It has no effect on tables.
        """,
    )
    calibration_fraction: float = parameter(
        default=0.1,
        constraint=[Interval(Real, 0, 1, closed="neither")],
        text="""
        Share of the rows given to `fit` that does not train, and sets the threshold and the
        p-values. A score that needs a scale of normal samples (`combine="standardised"`, shared
        components) learns it from a tenth of the other rows, at most 500, which do not train
        either: a scale learned from the rows that set the threshold would make them look
        less anomalous than new ones.
        """,
    )
    n_folds: int | Literal["auto"] = parameter(
        default="auto",
        constraint=[StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        text="""
        Fits that share the rows out to set the threshold and the p-values. 1 has the held-out rows
        alone. With K, K - 1 further fits with the same settings each hold out another part of the
        rows, so that every row gets a score by a fit that did not see it; only these scores are
        kept. "auto" does so where fewer than 3 / `target_fpr` rows (or groups) are held out: with
        3 fits for images and 5 for tables, 10 where nothing is trained.

        What is proven: with one fit, new normal samples are flagged with a probability of at most
        `target_fpr`, if they are exchangeable with the held-out ones. With several, a new sample is
        compared with scores of other fits, and no theorem covers that without assuming that fits
        on similar rows score alike (Barber, Candes, Ramdas and Tibshirani 2021, Annals of
        Statistics 49; cross-conformal p-values, which compare within each fold, are at most twice
        too small, Vovk 2015). What is observed is in docs/results/promises.md: about the promise,
        or less.
        """,
    )
    combine: Literal["paper", "standardised"] = parameter(
        default="paper",
        constraint=[StrOptions({"paper", "standardised"})],
        text="""
        How the components of a score (see `score_components`) become one: their sum with the
        weights of the paper, or the same sum after each component has been standardised by the
        held-out normal samples, (component - mean) / standard deviation. As published, a sum over
        pixels drowns a term that is bounded. It has no effect on a score of shared components.
        """,
    )
    n_references: int = parameter(
        default=10_000,
        constraint=[Interval(Integral, 2, None, closed="left")],
        text="""
        Maximum number of training rows, drawn at random, that a score of shared components (see
        `score_name` above) is fitted on and measures distances to. They are saved with the model.
        """,
    )

    # ------------------------------------------------------------------ tables

    scaling: Scaling = parameter(
        default="standard",
        constraint=[StrOptions(set(SCALINGS))],
        type_text="str",
        text="""
        How numeric columns of a table are scaled, by statistics of the training rows: "standard",
        "minmax", "robust"; "rank", the normal score of the rank; "standard+rank", both the
        standardised value and the rank; "auto", both for the columns where the two differ and
        "standard" for the others; "none". More in :func:`oddgan.inputs.fit_codec`.
        """,
    )

    # ------------------------------------------------------------------ images

    image_size: int | tuple[int, int] | float | None = parameter(
        default=None,
        constraint=[Interval(Integral, 8, None, closed="left"), _SHARE, tuple, list, None],
        text="""
        Size (h, w) that images are resized to, 8 to 256 pixels a side. None keeps equal sizes;
        image files of different sizes are resized to their median size, scaled down to at most 64
        a side. With a `patch_size` it may be larger, or a share in (0, 1) of each image's own
        size, and None keeps the size of each image.
        """,
    )
    patch_size: int | tuple[int, int] | None = parameter(
        default=None,
        constraint=[Interval(Integral, 8, 256, closed="both"), tuple, list, None],
        text="""
        Size (h, w), 8 to 256 pixels a side, of the overlapping patches that images are cut into,
        as in Schlegl et al. (2017, AnoGAN). The networks see patches only, and images may be of
        any size, also of different sizes. Images smaller than a patch are extended by reflection.
        Maps and reconstructions have the size of the image: the value of a pixel is the mean over
        its patches, weighted with sin^2, which is highest in the middle of a patch; `embed` is the
        mean of all patches. Held-out samples, threshold and p-values count images; the scale of
        score components counts patches.
        """,
    )
    stride: int | tuple[int, int] | None = parameter(
        default=None,
        constraint=[Interval(Integral, 1, 256, closed="both"), tuple, list, None],
        text="""
        Distance between the patches of an image that is scored, 1 to their side. None is half of
        it. The last patches end at the border of the image.
        """,
    )
    patches_per_image: int = parameter(
        default=16,
        constraint=[Interval(Integral, 1, None, closed="left")],
        text="""
        Patches that are cut out of each training image, at random locations that change each
        epoch. Everything else that is fitted on training samples (`n_references`, weights in
        closed form) uses as many patches of each image.
        """,
    )
    patch_augment: PatchAugment | None = parameter(
        default=None,
        constraint=[StrOptions({"flip", "turn"}), None],
        text="""
        Random change of the patches in training: "flip" mirrors them along either axis, "turn"
        also exchanges the axes (the eight symmetries of a square). For images without an upright
        position, such as surfaces.
        """,
    )
    patch_aggregation: PatchAggregation = parameter(
        default="top",
        constraint=[StrOptions(set(PATCH_AGGREGATIONS))],
        text="""
        How the scores of patches become the score of their image: the maximum ("max"), the mean
        of the greatest twentieth, at least one ("top"), or the mean of all ("mean"). A mean drowns
        small defects; a maximum grows with the size of an image by chance. Score components are
        aggregated in the same way. "map" scores by the anomaly map instead, at the size at which
        images are cut, smoothed by a Gaussian of 1 pixel: the mean of its greatest 0.4 %. It finds
        what is smaller than a patch. It needs one of the method's own scores, whose components are
        then aggregated as with "top".
        """,
    )
    normalize_by_location: bool = parameter(
        default=False,
        constraint=["boolean"],
        text="""
        Whether the score s of each patch becomes arsinh((s - median) / (interquartile range /
        1.349)), measured on training images at the same location, one of 25: at either border,
        within an eighth of it, or between. For objects that look alike in all images and have odd
        edges. With ``patch_aggregation="map"`` each pixel is standardised instead, (value - mean)
        / standard deviation, by which border is nearest and how near, up to 24 pixels.
        """,
    )
    illumination_correction: bool | float = parameter(
        default=False,
        constraint=["boolean", Interval(Real, 1, None, closed="neither")],
        text="""
        Whether the light is removed from each image that is cut. True subtracts the median of its
        pixels and divides by 3 times (their standard deviation + 0.06), in units of [-1, 1], so
        that exposure does not count. A number above 1 also corrects light that varies over the
        image: it subtracts from the logarithm of each pixel's brightness (0 to 2, + 1/16) its mean
        nearby, by a Gaussian whose standard deviation is this many pixels at the size at which
        images are cut, and divides by 3 times (the standard deviation of the rest + 0.1).
        """,
    )
    channels: Literal["auto", "first", "last"] = parameter(
        default="auto",
        constraint=[StrOptions({"auto", "first", "last"})],
        text="""
        Which axis of a 4-D array holds the channels; "auto" takes the one of length 1 to 4.
        """,
    )

    # ------------------------------------------------------------------ the run

    stream: bool | Literal["auto"] = parameter(
        default="auto",
        constraint=[bool, StrOptions({"auto"})],
        type_text='bool or "auto"',
        text="""
        Whether to read the training rows anew each epoch instead of keeping them on the device.
        "auto" does so when they would fill more than a quarter of its memory.
        """,
    )
    device: Literal["auto", "cpu", "cuda"] = parameter(
        default="auto",
        constraint=[StrOptions({"auto", "cpu", "cuda"})],
        text="Where to compute.",
    )
    precision: str = parameter(
        default="32-true",
        constraint=[StrOptions(set(PRECISIONS))],
        type_text='{"32-true", "bf16-mixed"}',
        text="Precision of training. Scores are computed in 32 bit.",
    )
    checkpoint: Any = parameter(
        default=None,
        constraint="no_validation",
        type_text="path-like or None",
        text="""
        File from which an interrupted fit (Ctrl-C, kill) resumes when `fit` is called again with
        the same data and parameters. It is removed when the fit is complete.
        """,
    )
    health: bool = parameter(
        default=True,
        constraint=["boolean"],
        text="""
        Whether `fit` checks its result, without labels: see `health_`. It takes as long as scoring
        some 1,500 samples, and up to twice that with a score of shared components.
        """,
    )
    verbose: int = parameter(
        default=0,
        constraint=["verbose"],
        text="""
        1 shows a progress bar with losses and the time left, and warns about everything that
        `health_` lists.
        """,
    )
    random_state: Any = parameter(
        default=None,
        constraint=["random_state"],
        type_text="int, RandomState or None",
        text="""
        Seed of everything that is random. The global random state is neither read nor changed.
        """,
    )
