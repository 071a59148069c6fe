"""Images that are cut into patches: what a detector's parameters say of how."""

from typing import TYPE_CHECKING, Any

from oddgan import inputs

from .encoding import Encoding
from .score_names import shared_names

if TYPE_CHECKING:
    from .hooks import Method

#: Where the patches are that are cut once, not anew each epoch.
_SEED = 0


def how_to_cut(detector: "Method") -> dict[str, Any] | None:
    """Return what `inputs.PatchCodec.learn` takes of the detector; None if nothing is cut."""
    if detector.patch_size is None:
        for name in ("stride", "patch_augment", "by_place", "level_images"):
            if getattr(detector, name):
                raise ValueError(f"{name} is for images that are cut: give a patch_size too")
        return None
    if detector.patch_score == "map":
        check_map(detector)
    sides = detector.patch_size
    square = not isinstance(sides, tuple | list) or len(set(sides)) == 1
    if detector.patch_augment == "turn" and not square:
        raise ValueError(f"patch_augment='turn' needs a square patch, not patch_size={sides}")
    return {
        "patch_size": detector.patch_size,
        "stride": detector.stride,
        "level": detector.level_images,
        "patch_score": detector.patch_score,
    }


def check_map(detector: "Method") -> None:
    """Refuse scores by maps where there is none of the score that is asked for.

    Raises
    ------
    ValueError
        The score is of shared parts, or the detector does not explain.
    """
    name = type(detector).__name__
    if why := detector.unavailable.get("explain"):
        raise ValueError(f"patch_score='map': {name} has no maps: {why}")
    if shared_names(detector):
        raise ValueError(
            f"patch_score='map' goes by the map of {name}'s own score, and {detector.score!r} is "
            f"of shared parts: choose one of {', '.join(detector.scores)}, or another patch_score"
        )


def seen(
    detector: "Method",
    encoding: Encoding,
    source: inputs.Source,
    *,
    of_training: bool = True,
    kept_bytes: int = 0,
) -> inputs.Source:
    """Return `source` as the networks see it: of images that are cut, patches at random places.

    Parameters
    ----------
    detector : Method
        How many patches of an image, and what is done to them.
    encoding : Encoding
        How images are encoded.
    source : inputs.Source
        Samples.
    of_training : bool
        Whether they are such as train, which may be mirrored.
    kept_bytes : int
        As for `inputs.Patches`.
    """
    codec = encoding.samples
    if not isinstance(codec, inputs.PatchCodec):
        return source
    augment = detector.patch_augment if of_training else None
    n_each = detector.patches_per_image
    return inputs.Patches(source, codec, n_each, _SEED, augment=augment, kept_bytes=kept_bytes)
