"""Bad input is refused with a message that names the cause."""

import datetime
import gzip
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from scipy import sparse

from oddgan import PCAReconstruction
from oddgan.inputs import concat, fit_codec, open_source


def raw_of(data, **options):
    return next(iter(open_source(data, **options).chunks(10**9)))[1]


def array_with(value, dtype="float64"):
    X = np.zeros((5, 3), dtype=dtype)
    X[3, 1] = value
    return X


@pytest.fixture(scope="module")
def frame():
    return pd.DataFrame(
        {
            "age": [30.0, 40.0, 50.0, 60.0],
            "member": [True, False, True, True],
            "town": ["Bonn", "Bonn", "Trier", "Trier"],
        }
    )


@pytest.fixture(scope="module")
def codec(frame):
    return fit_codec(raw_of(frame))


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (array_with(np.nan), ValueError, "Input X contains NaN.*column 1, row 3.*DataFrame"),
        (array_with(np.inf), ValueError, "Input X contains infinity.*column 1, row 3"),
        (array_with(-np.inf, "float32"), ValueError, "infinity.*column 1, row 3"),
        (torch.tensor(array_with(np.nan)), ValueError, "NaN.*column 1, row 3"),
        (np.zeros(4), ValueError, "Expected 2D array, got 1D array instead(.|\n)*Reshape your"),
        (np.zeros((2, 2), dtype=complex), ValueError, "Complex data not supported"),
        (sparse.csr_matrix(np.eye(3)), TypeError, "[Ss]parse"),
        (np.zeros((4, 0)), ValueError, r"0 feature\(s\)"),
        (np.array([[1, {"a": 1}]], dtype=object), TypeError, "argument must be .* string.* number"),
        (np.array([["1", "a"]]), ValueError, "numeric"),
        (np.array([["2020-01-01"]], dtype="datetime64[D]"), ValueError, "datetime64"),
        (np.zeros((2, 3, 3, 3, 3)), ValueError, "dim 5"),
        (np.zeros((4, 3, 8, 3)), ValueError, 'channels="first"'),
        (np.zeros((4, 9, 8, 9)), ValueError, 'channels="last"'),
        (np.zeros((4, 9, 9), dtype=int), ValueError, "int64; expected uint8"),
        (pd.DataFrame(), ValueError, "no columns"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), ValueError, "Duplicate column names.*'a'"),
        (pa.table([[1], [2]], names=["a", "a"]), ValueError, "two columns named 'a'"),
        (pd.DataFrame({"m": ["a", 1]}), ValueError, "column m"),
        (pl.DataFrame({"d": [datetime.date(2020, 1, 1)]}), ValueError, "column 'd' holds date"),
        (pd.DataFrame({"t": pd.to_datetime(["2020"])}), ValueError, "column 't' holds timestamp"),
        (pl.DataFrame({"l": [[1, 2]]}), ValueError, "column 'l' holds .*list"),
    ],
)
def test_data_that_no_source_accepts(data, error, message):
    with pytest.raises(error, match=message):
        open_source(data)


def test_channels_resolve_an_ambiguous_shape():
    images = np.random.default_rng(0).random((4, 3, 8, 3))
    for channels, shape in (("first", (3, 16, 16)), ("last", (3, 16, 16))):
        raw = raw_of(images, channels=channels)
        codec = fit_codec(raw, image_size=16, channels=channels)
        assert codec.shape == shape
        assert codec.decode(codec.encode(raw)).shape[1 if channels == "first" else 3] == 3
    with pytest.raises(ValueError, match="9 channels, expected 1 to 4"):
        open_source(np.zeros((4, 9, 8, 3)), channels="first")


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "parquet", "npy", "npz"])
def test_empty_and_truncated_files(suffix, tmp_path):
    path = tmp_path / f"table.{suffix}"
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=rf"table\.{suffix}: "):
        open_source(path)
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(3000, 2)), columns=["a", "b"])
    if suffix == "npy":
        np.save(path, frame.to_numpy())
    elif suffix == "npz":
        np.savez(path, X=frame.to_numpy())
    elif suffix == "parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False)
    whole = path.read_bytes()
    # A CSV file truncated inside a line lacks a column in its last row.
    path.write_bytes(whole[: whole.rfind(b",")] if suffix == "csv" else whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=rf"table\.{suffix}: "):
        list(open_source(path).chunks(10**6))


def test_paths_without_samples(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        open_source(tmp_path / "nowhere.csv")
    with pytest.raises(ValueError, match="no image files in this folder"):
        open_source(tmp_path)
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"no image files that match '\*.jpg'"):
        open_source(tmp_path, pattern="*.jpg")
    (tmp_path / "table.xlsx").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"table\.xlsx: unknown kind of file"):
        open_source(tmp_path / "table.xlsx")


def test_npz_with_ambiguous_samples(tmp_path):
    np.savez(tmp_path / "t.npz", a=np.zeros((3, 2)), b=np.zeros((3, 2)))
    with pytest.raises(ValueError, match=r"t\.npz: expected an array under the key 'X'"):
        open_source(tmp_path / "t.npz")
    np.save(tmp_path / "t.npy", np.zeros((3, 2)))
    (tmp_path / "t.npy").rename(tmp_path / "t.npz")
    with pytest.raises(ValueError, match=r"t\.npz: not an NPZ archive"):
        open_source(tmp_path / "t.npz")


def test_pickles_are_not_read(tmp_path):
    array = np.array([[1, "a"]], dtype=object)
    np.save(tmp_path / "x.npy", array, allow_pickle=True)
    np.savez(tmp_path / "x.npz", X=array)
    for name in ("x.npy", "x.npz"):
        with pytest.raises(ValueError, match=rf"{name}: .*(allow_pickle|Python objects)"):
            open_source(tmp_path / name)


def test_nan_in_an_array_file_is_reported_in_its_chunk(tmp_path):
    X = np.random.default_rng(0).normal(size=(50, 2))
    codec = fit_codec(X)
    X[30, 1] = np.nan
    np.save(tmp_path / "X.npy", X)
    np.savez(tmp_path / "X.npz", X=X)
    with pytest.raises(ValueError, match=r"X\.npz: Input X contains NaN.*column 1, row 30"):
        open_source(tmp_path / "X.npz")
    (_, first), (rows, second), _ = open_source(tmp_path / "X.npy").chunks(20)
    codec.encode(first)
    with pytest.raises(ValueError, match=r"NaN.*column 1, row 30"):
        codec.encode(second, rows)


def test_a_missing_label(frame, tmp_path):
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_parquet(tmp_path / "t.parquet")
    np.savez(tmp_path / "t.npz", X=np.zeros((3, 2)))
    for data in (frame, tmp_path / "t.csv", tmp_path / "t.parquet"):
        with pytest.raises(ValueError, match=r"no column 'y'.*'age', 'member', 'town'"):
            open_source(data, label="y")
    with pytest.raises(ValueError, match=r"no column 'y'.*'X'"):
        open_source(tmp_path / "t.npz", label="y")
    with pytest.raises(ValueError, match="label='y'"):
        open_source(np.zeros((3, 2)), label="y")


def test_csv_rows_of_unequal_length(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n3\n")
    with pytest.raises(ValueError, match=r"t\.csv: .*Expected 2 columns, got 1"):
        list(open_source(tmp_path / "t.csv").chunks(5))


def test_csv_of_another_encoding_or_separator(tmp_path):
    (tmp_path / "t.csv").write_bytes("town,x\nBonn,1\nKöln,2\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"t\.csv: column 'town', row 1: invalid UTF8 data"):
        list(open_source(tmp_path / "t.csv").chunks(5))
    (tmp_path / "t.csv").write_text("a;b\n1;2\n")
    with pytest.raises(ValueError, match=r"t\.csv: one column, 'a;b'; separate columns by commas"):
        open_source(tmp_path / "t.csv")


def test_csv_dates_are_named(tmp_path):
    (tmp_path / "t.csv").write_text("a,when\n1,2020-01-01\n")
    with pytest.raises(ValueError, match=r"t\.csv: column 'when' holds date"):
        open_source(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"age": [1.0, np.inf, 1.0, 1.0]}, "column 'age', row 101: infinity"),
        ({"age": [1.0, 1.0, None, 1.0]}, "column 'age', row 102: missing value"),
        ({"age": ["1", "2", "x3", "4"]}, "column 'age', row 102: expected a number.*'x3'"),
        ({"member": [1, 0, 1, 2]}, "column 'member', row 103: 2 is not a boolean"),
        ({"member": [True, None, True, True]}, "column 'member', row 101: missing value"),
        ({"town": ["Bonn", None, "Bonn", "Bonn"]}, "column 'town', row 101: missing value"),
        ({"town": [1, 2, 3, 4]}, "column 'town' holds text in the training data, but int64"),
        ({"extra": 1.0}, "column 'extra' was not in the training data"),
    ],
)
def test_tables_that_differ_from_training(codec, frame, change, message):
    with pytest.raises(ValueError, match=message):
        codec.encode(raw_of(frame.assign(**change)), rows=range(100, 104))


def test_columns_and_kinds_that_differ_from_training(codec, frame):
    with pytest.raises(ValueError, match="column 'member' is missing"):
        codec.encode(raw_of(frame.drop(columns="member")))
    with pytest.raises(
        ValueError, match=r"column 'town' holds text.*pass a frame instead of an array"
    ):
        codec.encode(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="X has 2 features, but the model is expecting 3 features"):
        codec.encode(np.zeros((2, 2)))
    with pytest.raises(ValueError, match=r"trained on a table.*got images"):
        codec.encode(np.zeros((2, 8, 8)))
    unnamed = fit_codec(np.random.default_rng(0).normal(size=(9, 3)))
    with pytest.raises(ValueError, match=r"column 'x2', row 0: expected a number.*'Bonn'"):
        unnamed.encode(raw_of(frame))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.full((5, 3), 2.0), "constant table"),
        (np.ones((1, 3)), "constant table"),
        (pd.DataFrame({"a": [1, 1], "b": ["x", "x"]}), "constant table"),
        (pd.DataFrame({"a": [np.inf, 1.0]}), "column 'a', row 0: infinity"),
        (np.zeros((4, 7, 9), np.uint8), "images of 7 x 9.*image_size"),
        (np.zeros((4, 8, 300), np.uint8), "images of 8 x 300.*image_size"),
        (np.full((4, 8, 8), 3, np.uint8), "constant images: every pixel is 3"),
        (np.where(np.arange(3)[:, None, None] == 1, np.nan, np.ones((3, 8, 8))), "image 1 .*NaN"),
    ],
)
def test_nothing_to_learn(data, message):
    with pytest.raises(ValueError, match=message):
        fit_codec(raw_of(data))


def test_nothing_to_learn_from_no_rows_or_wrong_settings(frame):
    with pytest.raises(ValueError, match="without rows"):
        fit_codec(np.empty((0, 3)))
    with pytest.raises(ValueError, match="no images"):
        fit_codec([])
    with pytest.raises(ValueError, match="there are no samples"):
        concat([])
    with pytest.raises(ValueError, match="scaling must be one of"):
        fit_codec(raw_of(frame), scaling="standart")
    with pytest.raises(ValueError, match="sides must be 8 to 256"):
        fit_codec(np.random.default_rng(0).random((3, 9, 9)), image_size=4)
    for size in ((8,), (8, 8, 8), [16, "a"], 16.5):
        with pytest.raises(ValueError, match="image_size must be a whole number or a pair"):
            fit_codec(np.random.default_rng(0).random((3, 9, 9)), image_size=size)


def test_unscaled_numbers_beyond_float32_are_named():
    codec = fit_codec(np.arange(6.0).reshape(3, 2), scaling="none")
    with pytest.raises(ValueError, match="column 'x1', row 1: 1e\\+300 is too large"):
        codec.encode(np.array([[1.0, 2.0], [1.0, 1e300]]))


def test_images_that_differ_from_training():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (4, 12, 10), dtype=np.uint8)
    codec = fit_codec(images)
    expects = r"expecting \(1, 12, 10\)"
    for other in (images[:, :11], np.stack([images] * 3, axis=1), np.stack([images] * 3, axis=3)):
        with pytest.raises(ValueError, match=f"images of shape .*{expects}"):
            codec.encode(other)
    for kind in (np.float32, np.uint16, bool):
        with pytest.raises(
            ValueError, match=r"holds .* values, but the training images hold uint8"
        ):
            codec.encode(images.astype(kind))
    with pytest.raises(ValueError, match=r"image b\.png holds uint16.*training images hold uint8"):
        codec.encode([images[0], images[1].astype(np.uint16)], rows=["a.png", "b.png"])
    with pytest.raises(ValueError, match="an image of 3 channels, but the model is expecting 2"):
        fit_codec(np.stack([images] * 2, axis=1)).encode([np.stack([images[0]] * 3, axis=2)])
    with pytest.raises(ValueError, match=r"trained on images.*got a table"):
        codec.encode(pa.table({"a": [1]}))
    with pytest.raises(ValueError, match=r"trained on images.*shape"):
        codec.encode(np.zeros((4, 120)))
    floats = images / 255
    codec = fit_codec(floats)
    floats[2, 3, 4] = np.inf
    with pytest.raises(ValueError, match="image 17 holds NaN or infinity"):
        codec.encode(floats, rows=[15, 16, 17, 18])


def test_image_files_of_different_kinds_do_not_mix():
    images = [np.arange(64, dtype=kind).reshape(8, 8) for kind in (np.uint8, np.uint8, np.uint16)]
    with pytest.raises(ValueError, match="image 2 holds uint16 values, image 0 uint8"):
        fit_codec(images)


def test_a_damaged_gzip_is_named(tmp_path):
    whole = gzip.compress(b"a,b\n" + b"1,2\n" * 1000)
    (tmp_path / "t.csv.gz").write_bytes(whole[:20] + bytes(8) + whole[28:])
    with pytest.raises(ValueError, match=r"t\.csv\.gz: "):
        list(open_source(tmp_path / "t.csv.gz").chunks(100))


@pytest.mark.parametrize("as_frame", [False, True])
def test_row_numbers_of_a_frame_give_a_warning(tmp_path, as_frame):
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 2)), columns=["a", "b"])
    frame.to_csv(tmp_path / "t.csv")
    X = pd.read_csv(tmp_path / "t.csv") if as_frame else tmp_path / "t.csv"
    detector = PCAReconstruction(calibration_fraction=0.4, health=False)
    with pytest.warns(
        UserWarning, match=f"column '{'Unnamed: 0' if as_frame else ''}' has no name"
    ):
        detector.fit(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        detector.fit(frame)
