"""The data home: find a file, check its content, download it if it is missing."""

import gzip
import hashlib
import logging
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import platformdirs
import pooch


class DataNotFoundError(FileNotFoundError):
    """A file is missing and cannot be downloaded; the message says where to put it."""


class DataFileError(ValueError):
    """A file does not have the expected content."""


@dataclass(frozen=True)
class RemoteFile:
    """A published file.

    Parameters
    ----------
    dataset : str
        Its data set, and its folder below the data home.
    name : str
    urls : tuple of str
        Official URLs first; they are tried in order.
    sha256 : str
        Hash of the content.
    gzipped : bool
        Whether to hash the decompressed content of a gzip file. Mirrors compress the same bytes
        with other timestamps and levels, so the hash of the compressed file varies.
    """

    dataset: str
    name: str
    urls: tuple[str, ...]
    sha256: str
    gzipped: bool = False


def data_home() -> Path:
    """Return the folder of the data sets, which has a folder for each.

    Returns
    -------
    pathlib.Path
        ``ODDGAN_DATA`` if set, else the platform's cache folder for ``oddgan``.
    """
    folder = os.environ.get("ODDGAN_DATA")
    return Path(folder).expanduser() if folder else _cache()


def _cache() -> Path:
    return platformdirs.user_cache_path("oddgan")


def search_folders(dataset: str, home: Path) -> list[Path]:
    """Return the folders that may hold a data set: in the data home, then in the cache.

    The cache is included because files are downloaded into it if the home is read-only.
    """
    return list(dict.fromkeys([home / dataset, _cache() / dataset]))


def find(file: RemoteFile, home: Path) -> Path | None:
    """Return the path of a file, or None if it is missing."""
    paths = [folder / file.name for folder in search_folders(file.dataset, home)]
    return next((path for path in paths if path.is_file()), None)


def read(file: RemoteFile, home: Path, progress: bool) -> bytes:
    """Return the verified content of a file, downloading the file if it is missing.

    Raises
    ------
    DataNotFoundError
        If the file is missing and no URL answers.
    DataFileError
        If the content is not the published one.
    """
    path = find(file, home)
    return verified_content(path, file) if path is not None else _download(file, home, progress)


def verified_content(path: Path, file: RemoteFile) -> bytes:
    """Return the content of a file on disk after checking its hash."""
    data = path.read_bytes()
    if file.gzipped:
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise DataFileError(
                f"{path} is not a complete gzip file ({error}): expected content with sha256 "
                f"{file.sha256}; delete the file to download it again"
            ) from error
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 != file.sha256:
        raise DataFileError(
            f"{path} is not the published file: expected sha256 {file.sha256}, found {sha256}; "
            "delete the file to download it again"
        )
    return data


def not_found(
    dataset: str, name: str, source: str, home: Path, reason: str = ""
) -> DataNotFoundError:
    """Build the error that says which file is missing and where to put it."""
    return DataNotFoundError(
        f"{dataset} needs {name}, which is not in {home / dataset}{reason}: download it from "
        f"{source} into this folder, or set ODDGAN_DATA to the folder that holds {dataset}/{name}"
    )


def _download(file: RemoteFile, home: Path, progress: bool) -> bytes:
    """Try each URL until one has the right content."""
    folder = next((f for f in search_folders(file.dataset, home) if _writable(f)), None)
    last_error: DataFileError | None = None
    for url in file.urls if folder is not None else ():
        try:
            with _quiet_pooch():
                path = Path(
                    pooch.retrieve(
                        url, known_hash=None, fname=file.name, path=folder, progressbar=progress
                    )
                )
            return verified_content(path, file)
        except DataFileError as error:
            # A login page or an incomplete download must not be taken for the file next time.
            path.unlink()
            last_error = error
        except OSError:  # the base class of all errors of requests, and of a full disk
            continue
    if last_error is not None:
        raise last_error
    raise not_found(file.dataset, file.name, file.urls[0], home, " and could not be downloaded")


def _writable(folder: Path) -> bool:
    existing = next(p for p in (folder, *folder.parents) if p.exists())
    return existing.is_dir() and os.access(existing, os.W_OK)


@contextmanager
def _quiet_pooch() -> Iterator[None]:
    """Suppress Pooch's advice, which is meant for its own users; the progress bar stays."""
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
