"""Loading of fitted detectors and combinations from files."""

from typing import Any

from oddgan import combination, detectors, persistence


def load(path: persistence.PathLike, *, device: str | None = None) -> Any:
    """Read a detector or a combination of detectors that was saved.

    Parameters
    ----------
    path : path-like
        The model file.
    device : {"auto", "cpu", "cuda"} or None, default=None
        Where to score; None is the device that the model was fitted with if available, else
        the CPU.

    Returns
    -------
    Detector or Combination
        As fitted; its scores equal those of the saved model.

    Raises
    ------
    FileNotFoundError
        The file does not exist.
    ValueError
        The file is not a model file, is damaged, or has an unsupported format.
    """
    header, arrays = persistence.read(path)
    restore = combination.restored if "combination" in header else detectors.restored
    return restore(header, arrays, device, str(path))


def load_detector(path: persistence.PathLike, *, device: str | None = None) -> Any:
    """Read a single detector, as `load`, where a combination is not supported.

    Raises
    ------
    ValueError
        The file holds a combination.
    """
    fitted = load(path, device=device)
    if isinstance(fitted, combination.Combination):
        raise ValueError(
            f"{path} holds a combination of detectors, which has only scores, p-values and "
            "flags: use it with `oddgan score`, `evaluate` and `inspect`"
        )
    return fitted
