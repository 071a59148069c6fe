"""Images that are cut into patches: what the parameters of a method say about it."""

from typing import Any

from oddgan import inputs

from .encoding import Encoding
from .hooks import Hooks
from .score_name import component_names

#: Seed of the locations of patches that are cut once, not anew each epoch.
_SEED = 0


def patch_options(method: Hooks) -> dict[str, Any] | None:
    """Return the options of `inputs.PatchCodec.fit_chunks` for a method; None if nothing is cut."""
    if method.patch_size is None:
        for name in ("stride", "patch_augment", "normalize_by_location", "illumination_correction"):
            if getattr(method, name):
                raise ValueError(f"{name} is for images that are cut: give a patch_size too")
        return None
    if method.patch_aggregation == "map":
        check_map(method)
    sides = method.patch_size
    square = not isinstance(sides, tuple | list) or len(set(sides)) == 1
    if method.patch_augment == "turn" and not square:
        raise ValueError(f"patch_augment='turn' needs a square patch, not patch_size={sides}")
    return {
        "patch_size": method.patch_size,
        "stride": method.stride,
        "illumination_correction": method.illumination_correction,
        "patch_aggregation": method.patch_aggregation,
    }


def check_map(method: Hooks) -> None:
    """Refuse scores by maps where the score that is asked for has no map.

    Raises
    ------
    ValueError
        The score has shared components, or the method does not explain.
    """
    name = type(method).__name__
    if reason := method.unavailable.get("explain"):
        raise ValueError(f"patch_aggregation='map': {name} has no maps: {reason}")
    if component_names(method, method.score_name):
        raise ValueError(
            f"patch_aggregation='map' goes by the map of {name}'s own score, and "
            f"{method.score_name!r} has shared components: choose one of "
            f"{', '.join(method.scores)}, or another patch_aggregation"
        )


def as_seen(
    method: Hooks,
    encoding: Encoding,
    source: inputs.Source,
    *,
    training: bool = True,
    cache_bytes: int = 0,
) -> inputs.Source:
    """Return `source` as the networks see it: for images that are cut, patches at random places.

    Parameters
    ----------
    method : Hooks
        How many patches an image gives, and how they are augmented.
    encoding : Encoding
        How images are encoded.
    source : inputs.Source
        Samples.
    training : bool
        Whether they train, and so may be mirrored.
    cache_bytes : int
        As for `inputs.Patches`.
    """
    codec = encoding.samples
    if not isinstance(codec, inputs.PatchCodec):
        return source
    augment = method.patch_augment if training else None
    n_each = method.patches_per_image
    return inputs.Patches(source, codec, n_each, _SEED, augment=augment, cache_bytes=cache_bytes)
