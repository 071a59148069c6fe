"""Fitted models of either kind, read from files."""

from typing import Any

from oddgan import combination, detectors, persistence


def load(path: persistence.PathLike, *, device: str | None = None) -> Any:
    """Read a detector or a combination of detectors that was saved.

    Parameters
    ----------
    path : path-like
        The model file.
    device : {"auto", "cpu", "cuda"} or None, default=None
        Where to score; None is the device that the model was made with if it is here, else
        the CPU.

    Returns
    -------
    Detector or Combination
        As fitted; its scores equal those of the saved one.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It is not a model file, is damaged, or of another version.
    """
    header, arrays = persistence.read(path)
    read = combination.restored if "combination" in header else detectors.restored
    return read(header, arrays, device, str(path))


def load_detector(path: persistence.PathLike, *, device: str | None = None) -> Any:
    """Read a single detector, for what a combination cannot do; else as `load`.

    Raises
    ------
    ValueError
        The file holds a combination.
    """
    fitted = load(path, device=device)
    if isinstance(fitted, combination.Combination):
        raise ValueError(
            f"{path} holds a combination of detectors, which has scores, p-values and flags "
            "alone: `oddgan score`, `evaluate` and `inspect` take it"
        )
    return fitted
