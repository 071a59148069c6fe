"""Model files: one safetensors file with the arrays and, in its header, everything else.

Loading a file runs no code from it. A digest of the content detects damage; it does not prove
who wrote the file.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

#: The format of new files, and the readable formats. Format 5 has older names of parameters.
FORMAT, READ_FORMATS = 6, (5, 6)

PathLike = str | os.PathLike[str]


def write(path: PathLike, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write a model file, replacing `path` in one step.

    Parameters
    ----------
    path : path-like
        The file.
    header : mapping
        Values that JSON can hold.
    arrays : mapping of str to ndarray
        The arrays.
    """
    target = Path(path)
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    text = json.dumps({"format": FORMAT, **header}, sort_keys=True, allow_nan=False)
    metadata = {"oddgan": text, "sha256": _digest(text, contiguous)}
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(target.name + ".part")
    unfinished.write_bytes(save(contiguous, metadata=metadata))
    unfinished.replace(target)


def read(path: PathLike) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return header and arrays of a model file.

    Raises
    ------
    FileNotFoundError
        The file does not exist.
    ValueError
        The file is not a model file, is damaged or changed, or has an unsupported format.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"no model file at {path}")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        text, digest = metadata["oddgan"], metadata["sha256"]
    except (SafetensorError, KeyError) as error:
        raise ValueError(f"{path} is not an OddGAN model file, or it is truncated") from error
    if _digest(text, arrays) != digest:
        raise ValueError(f"{path} is damaged: its content does not match its checksum")
    header = json.loads(text)
    if header["format"] not in READ_FORMATS:
        newer = header["format"] > FORMAT
        raise ValueError(
            f"{path} has format {header['format']}, {'newer' if newer else 'older'} than this "
            f"version of OddGAN reads ({FORMAT}); {'update oddgan' if newer else 'fit again'}"
        )
    return header, arrays


def _digest(text: str, arrays: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
