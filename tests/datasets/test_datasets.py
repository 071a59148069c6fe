"""Data sets: official files, class folders, checks by hash, downloads, and their messages.

No test uses the network: `pooch.retrieve` is replaced wherever a file is missing.
"""

import dataclasses
import gzip
import hashlib
import io
import tarfile
from functools import partial
from pathlib import Path

import numpy as np
import platformdirs
import pooch
import pytest
from PIL import Image
from scipy.io import savemat

from oddgan import datasets
from oddgan.datasets import (
    DataFileError,
    DataNotFoundError,
    Dataset,
    _adbench,
    _cifar,
    _files,
    _kddcup99,
    _magnetic_tile,
    _mnist,
    class_folder,
    load,
)


@pytest.fixture(autouse=True)
def _isolated(request, tmp_path, monkeypatch):
    """Keep the network, and except for real data the user's cache, out of every test."""
    if not request.node.get_closest_marker("realdata"):
        monkeypatch.setattr(platformdirs, "user_cache_path", lambda app: tmp_path / "cache")

    def no_network(*args, **kwargs):
        raise ConnectionError("no network in tests")

    monkeypatch.setattr(pooch, "retrieve", no_network)


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def real(name):
    """Load a real data set from the data home, or skip."""
    info = next(i for i in datasets.available() if i.name == name)
    if not info.present:
        pytest.skip(f"the files of {name} are not in the data home {datasets.data_home()}")
    return load(name, progress=False)


# Tiny replacements of the published files, with their hashes.


def idx(array):
    header = b"\0\0\x08" + bytes([array.ndim]) + np.array(array.shape, dtype=">i4").tobytes()
    return header + array.astype(np.uint8).tobytes()


RNG = np.random.default_rng(0)
IMAGES = {"train": RNG.integers(0, 256, (5, 4, 3)), "t10k": RNG.integers(0, 256, (2, 4, 3))}
LABELS = {"train": np.array([0, 1, 2, 9, 1]), "t10k": np.array([1, 0])}
IDX = [idx(part[key]) for key in ("train", "t10k") for part in (IMAGES, LABELS)]


def use_files(monkeypatch, dataset, contents):
    """Make the catalogue expect these contents in the files of an IDX data set."""
    entries = datasets._catalogue._ENTRIES
    old = entries[dataset].read.keywords["files"]
    new = [
        dataclasses.replace(file, sha256=hashlib.sha256(data).hexdigest())
        for file, data in zip(old, contents, strict=True)
    ]
    read = entries[dataset].read
    tiny = dataclasses.replace(
        entries[dataset], read=lambda home, progress: read(home, progress, files=new)
    )
    monkeypatch.setitem(entries, dataset, tiny)
    return new


def put(home, files, contents):
    for file, data in zip(files, contents, strict=True):
        path = home / file.dataset / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(data) if file.gzipped else data)


def test_digits_need_no_file(home):
    digits = load("digits", home=home)
    assert digits.X.shape == (1797, 8, 8)
    assert (digits.X.min(), digits.X.max()) == (0.0, 1.0)
    assert digits.classes == tuple(range(10))
    assert digits.train is None


def test_unknown_name_lists_the_names():
    with pytest.raises(ValueError, match=r"'cifar'.*digits, mnist, fashion-mnist, cifar-10, mag"):
        load("cifar")


def test_data_home_is_the_variable_or_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("ODDGAN_DATA", str(tmp_path / "mine"))
    assert datasets.data_home() == tmp_path / "mine"
    monkeypatch.delenv("ODDGAN_DATA")
    assert datasets.data_home() == tmp_path / "cache"


def test_idx_files_are_read_with_the_official_split(home, monkeypatch):
    put(home, use_files(monkeypatch, "mnist", IDX), IDX)
    mnist = load("mnist", home=home)
    np.testing.assert_array_equal(mnist.X, np.concatenate([IMAGES["train"], IMAGES["t10k"]]))
    assert mnist.X.dtype == np.uint8
    assert mnist.y.tolist() == [0, 1, 2, 9, 1, 1, 0]
    assert mnist.train.tolist() == [True] * 5 + [False] * 2


def test_the_gzip_wrapper_may_differ(home, monkeypatch):
    files = use_files(monkeypatch, "mnist", IDX)
    put(home, files, IDX)
    path = home / "mnist" / files[0].name
    path.write_bytes(gzip.compress(IDX[0], compresslevel=1, mtime=7))
    assert len(load("mnist", home=home)) == 7


def test_fashion_classes_have_names_and_numbers(home, monkeypatch):
    put(home, use_files(monkeypatch, "fashion-mnist", IDX), IDX)
    fashion = load("fashion-mnist", home=home)
    assert fashion.y[3] == "ankle boot"
    expected = [False, True, False, False, True, True, False]
    for label in ("trouser", 1, "1"):
        assert fashion.is_class(label).tolist() == expected
    with pytest.raises(ValueError, match=r"fashion-mnist has no class 10.*t-shirt/top, trouser"):
        fashion.is_class(10)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\0\0\x0d\x01\0\0\0\x01\0\0\0\0", "not an IDX file"),
        (b"", "not an IDX file"),
        (idx(np.zeros((2, 3)))[:-1], r"shape \(2, 3\), but the file has 17 bytes"),
        (b"\0\0\x08\x03\0\0\0\x01", "IDX header"),
    ],
)
def test_idx_header_must_match_the_file(data, message):
    with pytest.raises(DataFileError, match=message):
        _mnist.parse_idx(data)


def test_wrong_content_names_file_and_both_hashes(home, monkeypatch):
    files = use_files(monkeypatch, "mnist", IDX)
    put(home, files, [IDX[0], b"other", IDX[2], IDX[3]])
    wrong_sha256 = hashlib.sha256(b"other").hexdigest()
    with pytest.raises(DataFileError) as error:
        load("mnist", home=home)
    message = str(error.value)
    assert str(home / "mnist" / files[1].name) in message
    assert files[1].sha256 in message
    assert wrong_sha256 in message
    assert "\n" not in message


def test_truncated_gzip_is_named(home, monkeypatch):
    files = use_files(monkeypatch, "mnist", IDX)
    put(home, files, IDX)
    path = home / "mnist" / files[2].name
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataFileError, match=r"t10k-images.*not a complete gzip file.*sha256"):
        load("mnist", home=home)


# Downloads.


def serve(monkeypatch, pages):
    """Replace the network with a dictionary from URL to content; return the list of calls."""
    calls = []

    def retrieve(url, known_hash, fname, path, progressbar):
        calls.append((url, progressbar))
        if url not in pages:
            raise ConnectionError(url)
        Path(path).mkdir(parents=True, exist_ok=True)
        (Path(path) / fname).write_bytes(pages[url])
        return str(Path(path) / fname)

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    return calls


def test_missing_files_are_downloaded_once_into_the_home(home, monkeypatch):
    files = use_files(monkeypatch, "mnist", IDX)
    # The first URL is down, so the mirror is used.
    pages = {f.urls[1]: gzip.compress(data) for f, data in zip(files, IDX, strict=True)}
    calls = serve(monkeypatch, pages)
    assert len(load("mnist", home=home)) == 7
    assert calls == [(url, True) for f in files for url in f.urls[:2]]
    assert (home / "mnist" / files[0].name).is_file()
    assert len(load("mnist", home=home, progress=False)) == 7
    assert len(calls) == 8


def test_a_wrong_download_is_removed_and_the_next_url_tried(home, monkeypatch):
    files = use_files(monkeypatch, "mnist", IDX)
    put(home, files[1:], IDX[1:])
    serve(monkeypatch, {files[0].urls[0]: b"<html>please log in</html>"})
    with pytest.raises(DataFileError, match=files[0].name):
        load("mnist", home=home)
    assert not (home / "mnist" / files[0].name).exists()
    mirror = {files[0].urls[1]: gzip.compress(IDX[0])}
    serve(monkeypatch, mirror | {files[0].urls[0]: b"<html>"})
    assert len(load("mnist", home=home)) == 7


def test_read_only_home_downloads_to_the_cache(home, tmp_path, monkeypatch):
    files = use_files(monkeypatch, "mnist", IDX)
    monkeypatch.setattr(_files.os, "access", lambda path, mode: home not in (path, *path.parents))
    calls = serve(
        monkeypatch, {f.urls[0]: gzip.compress(data) for f, data in zip(files, IDX, strict=True)}
    )
    for _ in range(2):  # the second time it is in the cache
        assert len(load("mnist", home=home)) == 7
    assert len(calls) == 4
    assert not (home / "mnist").exists()
    assert (tmp_path / "cache" / "mnist" / files[3].name).is_file()


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("mnist", "train-images-idx3-ubyte.gz"),
        ("cifar-10", "cifar-10-binary.tar.gz"),
        ("kddcup99", "kddcup.data_10_percent.gz"),
        ("arrhythmia", "arrhythmia.mat"),
        ("magnetic-tile", "MT_Free/Imgs/*.jpg"),
        ("adbench/cardio", "6_cardio.npz"),
    ],
)
def test_without_network_and_file_the_message_says_where_to_put_it(home, name, file):
    with pytest.raises(DataNotFoundError) as error:
        load(name, home=home)
    message = str(error.value)
    assert f"needs {file}" in message
    assert str(home / name.split("/")[0]) in message
    assert "http" in message
    assert "ODDGAN_DATA" in message
    assert "\n" not in message


def test_available_lists_what_is_present(home, monkeypatch):
    def present():
        return {info.name: info.present for info in datasets.available(home=home)}

    def names():
        return [name for name, is_present in present().items() if is_present]

    assert names() == ["digits"]
    put(home, _mnist._MNIST_FILES, IDX)
    (home / "cifar-10/cifar-10-batches-bin").mkdir(parents=True)
    put(home, [_kddcup99._FILE], [b""])
    assert names() == ["digits", "mnist", "kddcup99"]
    for batch in _cifar._BATCHES:
        (home / "cifar-10" / batch.name).touch()
    assert present()["cifar-10"]
    (home / "adbench").mkdir()
    (home / "adbench/6_cardio.npz").touch()
    assert present()["adbench/cardio"]
    assert not present()["adbench/thyroid"]
    assert next(i.folder for i in datasets.available(home=home) if i.name == "adbench/thyroid") == (
        home / "adbench"
    )
    tile_tree(home)
    arrhythmia_file(home)
    assert present()["magnetic-tile"]
    assert present()["arrhythmia"]


# CIFAR-10.


def batch(labels, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (len(labels), 3, 32, 32), dtype=np.uint8)
    rows = np.column_stack([np.array(labels, np.uint8), pixels.reshape(len(labels), -1)])
    return rows.tobytes(), pixels.transpose(0, 2, 3, 1)


BATCHES = [batch([seed, 9 - seed], seed) for seed in range(6)]


def check_cifar(cifar):
    np.testing.assert_array_equal(cifar.X, np.concatenate([pixels for _, pixels in BATCHES]))
    assert cifar.y[:4].tolist() == ["airplane", "truck", "automobile", "ship"]
    assert cifar.train.tolist() == [True] * 10 + [False] * 2
    assert cifar.classes[3] == "cat"


def test_cifar_official_archive_comes_before_all_else(home, monkeypatch):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for file, (data, _) in zip(_cifar._BATCHES, BATCHES, strict=True):
            member = tarfile.TarInfo(file.name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    data = buffer.getvalue()
    expected = dataclasses.replace(_cifar._ARCHIVE, sha256=hashlib.sha256(data).hexdigest())
    monkeypatch.setattr(_cifar, "_ARCHIVE", expected)
    put(home, [expected], [data])
    (home / "cifar-10/train/cat").mkdir(parents=True)
    (home / "cifar-10/test/cat").mkdir(parents=True)
    cifar = load("cifar-10", home=home)
    check_cifar(cifar)
    assert "official binary archive" in cifar.note


def test_cifar_extracted_folder_is_checked_file_by_file(home, monkeypatch):
    contents = [data for data, _ in BATCHES]
    expected = [
        dataclasses.replace(file, sha256=hashlib.sha256(data).hexdigest())
        for file, data in zip(_cifar._BATCHES, contents, strict=True)
    ]
    monkeypatch.setattr(_cifar, "_BATCHES", expected)
    put(home, expected, contents)
    check_cifar(load("cifar-10", home=home))
    (home / "cifar-10" / expected[2].name).write_bytes(contents[3])
    with pytest.raises(DataFileError, match="data_batch_3"):
        load("cifar-10", home=home)


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"\0" * 3072, "3072 bytes"), (b"\x0a" + b"\0" * 3072, "has 10"), (b"", "0 b")],
)
def test_cifar_batch_must_be_valid(data, message):
    with pytest.raises(DataFileError, match=message):
        _cifar.parse_batch(data)


def picture(path, value, mode="RGB", size=(32, 32)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value if mode == "L" else (value, 0, 255 - value)).save(path)


def cifar_tree(root):
    for i, name in enumerate(["train/cat/1.png", "train/ship/0.png", "test/cat/0.png"]):
        picture(root / name, i)


def check_tree(cifar):
    assert cifar.y.tolist() == ["cat", "ship", "cat"]
    assert cifar.train.tolist() == [True, True, False]
    assert cifar.X[:, 0, 0, 0].tolist() == [0, 1, 2]
    assert cifar.X.shape == (3, 32, 32, 3)
    assert "not the official archive" in cifar.note
    assert cifar.is_class(3).tolist() == [True, False, True]


def test_cifar_from_class_folders(home):
    cifar_tree(home / "cifar-10")
    check_tree(load("cifar-10", home=home, progress=False))


def test_cifar_from_a_tar_of_class_folders(home, tmp_path):
    cifar_tree(tmp_path / "tree")
    (home / "cifar-10").mkdir()
    with tarfile.open(home / "cifar-10" / "any.tar", "w") as archive:
        # Order in the archive must not matter.
        for part in ("test", "train"):
            archive.add(tmp_path / "tree" / part, arcname=f"./{part}")
    check_tree(load("cifar-10", home=home, progress=False))
    assert sorted(p.name for p in (home / "cifar-10").iterdir()) == ["any.tar"]


def test_another_tree_is_not_cifar(home):
    picture(home / "cifar-10/train/zebra/0.png", 0)
    picture(home / "cifar-10/test/zebra/0.png", 0)
    with pytest.raises(DataFileError, match="is not CIFAR-10: expected train/ and test/"):
        load("cifar-10", home=home, progress=False)


# The user's class folders.


def test_class_folder_without_split(tmp_path):
    picture(tmp_path / "parts/good/b.png", 10, "L", (6, 4))
    picture(tmp_path / "parts/bad/a.bmp", 20, "L", (6, 4))
    picture(tmp_path / "parts/bad/masks/a.png", 255, "L", (6, 4))
    (tmp_path / "parts/bad/notes.txt").write_text("not an image")
    parts = class_folder(tmp_path / "parts", progress=False)
    assert (parts.name, parts.kind, parts.train) == ("parts", "image", None)
    assert parts.y.tolist() == ["bad", "good"]
    assert parts.X.shape == (2, 4, 6)
    assert parts.X[:, 0, 0].tolist() == [20, 10]


def test_one_coloured_image_makes_all_rgb(tmp_path):
    picture(tmp_path / "a/0.png", 7, "L")
    picture(tmp_path / "a/1.png", 9, "RGB")
    images = class_folder(tmp_path, progress=False).X
    assert images.shape == (2, 32, 32, 3)
    assert images[:, 0, 0].tolist() == [[7, 7, 7], [9, 0, 246]]


def test_class_folder_names_the_culprit(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder"):
        class_folder(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="has no images"):
        class_folder(tmp_path)
    (tmp_path / "not.tar").write_bytes(b"x" * 2000)
    with pytest.raises(ValueError, match=r"not\.tar is not a complete uncompressed tar"):
        class_folder(tmp_path / "not.tar")
    picture(tmp_path / "a/0.png", 7)
    picture(tmp_path / "a/1.png", 7, size=(5, 6))
    with pytest.raises(ValueError, match=r"a/0.png has \(32, 32\), a/1.png has \(6, 5\)"):
        class_folder(tmp_path, progress=False)
    (tmp_path / "a/1.png").write_bytes((tmp_path / "a/0.png").read_bytes()[:60])
    with pytest.raises(ValueError, match=r"a/1\.png is not a readable image"):
        class_folder(tmp_path, progress=False)


def test_16_bit_images_are_refused_not_clipped(tmp_path):
    (tmp_path / "a").mkdir()
    Image.fromarray(np.full((4, 4), 1000, np.uint16)).save(tmp_path / "a/0.png")
    with pytest.raises(ValueError, match=r"a/0\.png .*more than 8 bits"):
        class_folder(tmp_path, progress=False)


def test_a_truncated_tar_is_named(tmp_path):
    cifar_tree(tmp_path / "tree")
    whole = tmp_path / "whole.tar"
    with tarfile.open(whole, "w") as archive:
        archive.add(tmp_path / "tree", arcname=".")
    data = whole.read_bytes()
    for size in (600, len(data) // 2, 3000):
        (tmp_path / "cut.tar").write_bytes(data[:size])
        with pytest.raises(ValueError, match=r"cut\.tar"):
            class_folder(tmp_path / "cut.tar", progress=False)


def test_progress_keeps_standard_output_clean(tmp_path, capsys):
    picture(tmp_path / "a/0.png", 7)
    class_folder(tmp_path, progress=True)
    assert capsys.readouterr().out == ""


# KDD Cup 1999.

ROW = "0,tcp,http,SF,181,5450,0,0,0,0,0,1,0,0,0,0,0,0,0,0,0,0,8,8,0.00,0.00,0.00,0.00,1.00,0.00,"
ROW += "0.00,9,9,1.00,0.00,0.11,0.00,0.00,0.00,0.00,0.00,"


def test_kdd_columns_have_names_and_types(home, monkeypatch):
    text = f"{ROW}normal.\n{ROW.replace('http', 'ftp')}smurf.\n"
    data = gzip.compress(text.encode())
    file = dataclasses.replace(_kddcup99._FILE, sha256=hashlib.sha256(data).hexdigest())
    monkeypatch.setattr(_kddcup99, "_FILE", file)
    put(home, [file], [data])
    kdd = load("kddcup99", home=home)
    assert kdd.kind == "table"
    assert kdd.X.shape == (2, 41)
    assert kdd.y.tolist() == ["normal.", "smurf."]
    assert kdd.X["service"].tolist() == ["http", "ftp"]
    assert kdd.X.select_dtypes("bool").columns.tolist() == [
        "land",
        "logged_in",
        "is_host_login",
        "is_guest_login",
    ]
    assert kdd.X.select_dtypes("number").shape == (2, 34)
    first = kdd.X.iloc[0]
    assert (first["src_bytes"], first["count"], first["dst_host_same_src_port_rate"]) == (
        181,
        8,
        0.11,
    )
    assert first["logged_in"] is np.True_


def test_kdd_rows_must_be_complete():
    with pytest.raises(DataFileError, match="these have 2"):
        _kddcup99.parse_kdd(gzip.compress(b"0,normal.\n"))


# ADBench.


def use_table(monkeypatch, home, **arrays):
    """Replace ADBench's cardio with these arrays."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    entries = datasets._catalogue._ENTRIES
    entry = entries["adbench/cardio"]
    file = dataclasses.replace(
        entry.read.keywords["file"], sha256=hashlib.sha256(buffer.getvalue()).hexdigest()
    )
    read = partial(_adbench._read, name=entry.name, file=file)
    monkeypatch.setitem(entries, entry.name, dataclasses.replace(entry, read=read))
    put(home, [file], [buffer.getvalue()])


def test_adbench_columns_are_numbered_and_labels_are_0_and_1(home, monkeypatch):
    X = np.array([[1, 2, 250], [4, 5, 6]], np.uint8)
    use_table(monkeypatch, home, X=X, y=np.array([0.0, 1.0]))
    cardio = load("adbench/cardio", home=home)
    assert cardio.X.columns.tolist() == ["x0", "x1", "x2"]
    np.testing.assert_array_equal(cardio.X, X)
    # Differences of the stored 8-bit integers would overflow.
    assert (cardio.X.iloc[1] - cardio.X.iloc[0]).tolist() == [3, 3, -244]
    assert cardio.y.tolist() == [0, 1]
    assert cardio.y.dtype == np.int64
    assert (cardio.name, cardio.kind) == ("adbench/cardio", "table")


def test_adbench_loads_no_pickle(home, monkeypatch):
    use_table(monkeypatch, home, X=np.array([[None]]), y=np.array([0]))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        load("adbench/cardio", home=home)


# Arrhythmia.


def arrhythmia_file(home, n=452, anomalies=66, **other):
    """Write a .mat file of the published shape; the file of ODDS is not available."""
    X = np.random.default_rng(0).normal(size=(n, 274))
    y = (np.arange(n) < anomalies).astype(float)[:, None]
    (home / "arrhythmia").mkdir(exist_ok=True)
    path = home / "arrhythmia/arrhythmia.mat"
    savemat(path, {"X": X, "y": y} | other, do_compression=True)
    return X, path


def test_arrhythmia_is_read_from_matlab(home):
    X, _ = arrhythmia_file(home)
    arrhythmia = load("arrhythmia", home=home)
    np.testing.assert_array_equal(arrhythmia.X, X)
    assert arrhythmia.X.columns[-1] == "x273"
    assert arrhythmia.y.shape == (452,)
    assert arrhythmia.is_class(1).sum() == 66


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n": 451}, r"expected X of shape \(452, 274\).*found shape \(451, 274\)"),
        ({"anomalies": 65}, r"66 rows labelled 1, .* labels \{0: 387, 1: 65\}"),
        ({"y": np.arange(452.0) % 3}, r"labels \{0: 151, 1: 151, 2: 150\}"),
        ({"y": "none"}, "not a MATLAB file with X and y"),
    ],
)
def test_another_table_is_not_arrhythmia(home, change, message):
    arrhythmia_file(home, **change)
    with pytest.raises(DataFileError, match=message) as error:
        load("arrhythmia", home=home)
    assert str(home / "arrhythmia/arrhythmia.mat") in str(error.value)


def test_a_broken_matlab_file_is_named(home):
    _, path = arrhythmia_file(home)
    whole = path.read_bytes()
    # A login page, an empty file, truncated ones, a damaged one, and one in the HDF5 format, which
    # SciPy does not read.
    page, hdf = b"<html>" * 50, whole[:124] + b"\x00\x02IM" + whole[128:]
    damaged = whole[:5000] + bytes(100) + whole[5100:]
    for content in (page, b"", whole[:1000], whole[:500_000], damaged, hdf):
        path.write_bytes(content)
        with pytest.raises(DataFileError, match=r"arrhythmia\.mat is not a MATLAB file"):
            load("arrhythmia", home=home)


# Magnetic tiles.


def tile_tree(home, size=(12, 8)):
    """Write an image and mask of each class; the mask has one white pixel, or none for "free"."""
    for number, kind in enumerate(_magnetic_tile._COUNTS):
        path = home / f"magnetic-tile/MT_{kind.title()}/Imgs/exp1_num_{1000 * number}.jpg"
        picture(path, 40 * number, "L", size)
        mask = np.zeros(size[::-1], np.uint8)
        mask[3, 5] = 0 if kind == "free" else 255
        mask[0, 0] = 100  # the faded edge of a drawing
        Image.fromarray(mask).save(path.with_suffix(".png"))
    return home / "magnetic-tile"


@pytest.fixture
def few_tiles(monkeypatch):
    monkeypatch.setattr(_magnetic_tile, "_COUNTS", dict.fromkeys(_magnetic_tile._COUNTS, 1))


@pytest.mark.usefixtures("few_tiles")
def test_tiles_are_read_with_masks_and_groups(home):
    tile_tree(home)
    tiles = load("magnetic-tile", home=home, progress=False, size=4)
    assert tiles.X.shape == tiles.masks.shape == (6, 4, 4)
    assert tiles.classes == ("free", "blowhole", "break", "crack", "fray", "uneven")
    assert tiles.y.tolist() == list(tiles.classes)
    assert tiles.X[:, 0, 0] == pytest.approx(40 * np.arange(6), abs=3)  # JPEG
    # 3 x 2 pixels become one: the pixel that covers row 3, column 5 is anomalous.
    expected = np.zeros((4, 4), bool)
    expected[1, 1] = True
    assert not tiles.masks[0].any()
    for mask in tiles.masks[1:]:
        np.testing.assert_array_equal(mask, expected)
    assert tiles.groups.tolist() == [0, 1, 2, 3, 4, 5]
    assert load("magnetic-tile", home=home, progress=False).X.shape == (6, 64, 64)
    picture(home / "magnetic-tile/MT_Free/Imgs/exp1_num_0.jpg", 0, "L", (7, 9))
    mask = np.zeros((9, 7), np.uint8)
    Image.fromarray(mask).save(home / "magnetic-tile/MT_Free/Imgs/exp1_num_0.png")
    original = load("magnetic-tile", home=home, progress=False, size=None)
    assert [image.shape for image in original.X] == [(9, 7), *[(8, 12)] * 5]
    assert [mask.sum() for mask in original.masks] == [0, 1, 1, 1, 1, 1]
    assert [mask.shape for mask in original.masks] == [image.shape for image in original.X]


@pytest.mark.usefixtures("few_tiles")
def test_a_single_anomalous_pixel_of_a_large_tile_stays(home):
    tile_tree(home, size=(600, 400))
    assert load("magnetic-tile", home=home, progress=False, size=8).masks[1].sum() == 1


@pytest.mark.usefixtures("few_tiles")
def test_tiles_name_the_culprit(home):
    folder = tile_tree(home)
    crack = folder / "MT_Crack/Imgs/exp1_num_3000.jpg"
    picture(crack.with_suffix(".png"), 0, "L", (5, 5))
    with pytest.raises(
        DataFileError, match=r"num_3000\.jpg and its mask .* \(8, 12\) and \(5, 5\)"
    ):
        load("magnetic-tile", home=home, progress=False)
    crack.with_suffix(".png").unlink()
    with pytest.raises(DataFileError, match=r"num_3000\.jpg has no mask exp1_num_3000\.png"):
        load("magnetic-tile", home=home, progress=False)
    crack.rename(crack.with_name("tile.jpg"))
    with pytest.raises(DataFileError, match=r"MT_Crack/Imgs/tile\.jpg is not named exp<e>_num"):
        load("magnetic-tile", home=home, progress=False)
    crack.with_name("tile.jpg").unlink()
    with pytest.raises(DataFileError, match=r"magnetic-tile is not the published data.*'crack': 1"):
        load("magnetic-tile", home=home, progress=False)


def test_options_are_checked(home):
    for size in (0, 2.5, "64"):
        with pytest.raises(ValueError, match=r"size of magnetic-tile's images is .* int >= 1"):
            load("magnetic-tile", home=home, size=size)
    with pytest.raises(ValueError, match="magnetic-tile has no option 'width'; it has size"):
        load("magnetic-tile", home=home, width=3)
    with pytest.raises(ValueError, match="digits has no option 'size'; it has none"):
        load("digits", size=3)


def test_one_tile_is_in_one_group():
    names = [
        *((1, 2000), (2, 2020), (3, 2035), (4, 2300), (5, 2310), (6, 2330)),  # a long pause
        *((1, 2500), (1, 2515), (2, 2520), (2, 2540), (3, 2600), (3, 2601)),  # two, alternately
        *((0, 9000), (1, 9020), (2, 9040)),
    ]
    exposures, numbers = np.array(names).T
    expected = np.array([0] * 6 + [1] * 6 + [2] * 3)
    np.testing.assert_array_equal(_magnetic_tile.tile_groups(exposures, numbers), expected)
    # The order of the files does not matter.
    order = np.random.default_rng(0).permutation(len(names))
    groups = _magnetic_tile.tile_groups(exposures[order], numbers[order])
    np.testing.assert_array_equal(groups, expected[order])


# The checks of a data set.


def test_dataset_refuses_masks_and_groups_of_other_shapes():
    X, y = np.zeros((3, 2, 2), np.uint8), np.arange(3)
    with pytest.raises(ValueError, match=r"images of shape \(3, 2, 2\) but masks of \(3, 4\)"):
        Dataset("parts", "image", X, y, None, "", masks=np.zeros((3, 4), bool))
    with pytest.raises(ValueError, match=r"3 samples but groups of shape \(2,\)"):
        Dataset("parts", "image", X, y, None, "", groups=np.arange(2))


def test_dataset_refuses_missing_or_too_few_labels():
    X = np.zeros((3, 2, 2), np.uint8)
    with pytest.raises(ValueError, match="parts: 3 samples but 2 labels"):
        Dataset("parts", "image", X, np.array([0, 1]), None, "")
    with pytest.raises(ValueError, match="parts: 1 of 3 samples have no label"):
        Dataset("parts", "image", X, np.array(["a", None, "b"], object), None, "")


def test_classes_are_found_by_number_or_text():
    table = Dataset("t", "image", np.zeros((3, 1, 1)), np.array([True, False, True]), None, "")
    assert table.is_class(1).tolist() == [True, False, True]
    assert table.is_class("False").tolist() == [False, True, False]
    with pytest.raises(ValueError, match="t has no class 2; its classes are False, True"):
        table.is_class(2)


# The real files.


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_real_idx_files(name):
    images = real(name)
    assert images.X.shape == (70_000, 28, 28)
    assert images.train.sum() == 60_000
    assert len(images.classes) == 10
    _, counts = np.unique(images.y, return_counts=True)
    if name == "mnist":
        assert counts.tolist() == [6903, 7877, 6990, 7141, 6824, 6313, 6876, 7293, 6825, 6958]
    else:
        assert counts.tolist() == [7_000] * 10


@pytest.mark.realdata
def test_real_kdd_file():
    kdd = real("kddcup99")
    assert kdd.X.shape == (494_021, 41)
    assert kdd.is_class("normal.").sum() == 97_278
    assert len(kdd.X.assign(label=kdd.y).drop_duplicates()) == 145_586
    assert kdd.X["service"].nunique() == 66


@pytest.mark.realdata
def test_catalogue_facts_match_the_real_files():
    for info in datasets.available():
        if info.present and info.name != "cifar-10":
            data = load(info.name, progress=False)
            assert data.X.shape == (info.n_samples, *info.shape)
            assert data.classes == info.classes
            assert data.kind == info.kind


@pytest.mark.realdata
def test_real_cifar_file_without_decoding_all(tmp_path):
    info = next(i for i in datasets.available() if i.name == "cifar-10")
    path = Path(info.folder) / "cifar-10-jpg.tar"
    if not path.is_file():
        pytest.skip(f"there is no {path}")
    with tarfile.open(path) as archive:
        members = [m for m in archive if m.isfile()]
        sample = [m for m in members if m.name.endswith("/0000.jpg")]
        archive.extractall(tmp_path / "cifar-10", members=sample, filter="data")
    assert len(members) == 60_000
    cifar = load("cifar-10", home=tmp_path, progress=False)
    assert cifar.X.shape == (20, 32, 32, 3)
    assert cifar.y.tolist() == [*info.classes] * 2
    assert cifar.train.tolist() == [True] * 10 + [False] * 10


@pytest.mark.realdata
def test_real_tiles():
    tiles = real("magnetic-tile")
    _, counts = np.unique(tiles.y, return_counts=True)
    assert counts.tolist() == [115, 85, 57, 32, 952, 103]
    has_mask = tiles.masks.any(axis=(1, 2))
    assert not has_mask[tiles.y == "free"].any()
    # The masks of four uneven tiles are empty.
    assert (~has_mask[tiles.y != "free"]).sum() == 4
    assert len(np.unique(tiles.groups)) == 197
    # A tile has 6 or 7 exposures; larger groups are tiles photographed alternately.
    assert np.bincount(tiles.groups).min() == 6


@pytest.mark.realdata
@pytest.mark.parametrize(("name", "anomalies"), [("thyroid", 93), ("cardio", 176), ("pima", 268)])
def test_real_adbench_files(name, anomalies):
    table = real(f"adbench/{name}")
    assert table.y.sum() == anomalies
    assert f"{anomalies} anomalies" in table.note
