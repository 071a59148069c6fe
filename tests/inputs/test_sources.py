"""Sources: every format in, in chunks, with labels, names and random order."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from PIL import Image

from oddgan.inputs import Subset, concat, fit_codec, open_source, select

N = 300


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "amount": rng.lognormal(sigma=3, size=N),
            "count": rng.integers(0, 9, N),
            "flag": rng.random(N) > 0.3,
            "country": rng.choice(["de", "fr", "nl"], N),
            "bad": rng.integers(0, 2, N),
        }
    )
    frame.loc[5, "amount"] = np.nan
    frame.loc[6, "country"] = None
    return frame


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    (root / "b").mkdir()
    for name in ("img10.png", "img2.png", "b/x.BMP", "img1.jpg", "img3.tif"):
        Image.fromarray(rng.integers(0, 256, (12, 10), dtype=np.uint8)).save(root / name)
    (root / "notes.txt").write_text("not an image")
    (root / "._img2.png").write_bytes(b"what macOS leaves behind")
    return root


def as_source(form, frame, tmp_path, **options):
    """Open the same table in one of its forms."""
    path = tmp_path / f"table.{form}"
    if form == "pandas":
        return open_source(frame, **options)
    if form == "pandas categories":
        return open_source(frame.astype({"country": "category"}), **options)
    if form == "polars":
        return open_source(pl.from_pandas(frame), **options)
    if form == "polars categories":
        polars = pl.from_pandas(frame).with_columns(pl.col("country").cast(pl.Categorical))
        return open_source(polars, **options)
    if form == "arrow":
        return open_source(pa.Table.from_pandas(frame), **options)
    if form == "parquet":
        frame.to_parquet(path, row_group_size=70)
    else:
        frame.to_csv(path, index=False)
    return open_source(path, **options)


FORMATS = ["pandas", "pandas categories", "polars", "polars categories", "arrow"]
FORMATS += ["parquet", "csv", "csv.gz"]


@pytest.mark.parametrize("form", FORMATS)
def test_every_table_format_encodes_to_the_same_tensor(form, frame, tmp_path):
    codec = fit_codec(next(iter(open_source(frame, label="bad").chunks(N)))[1])
    source = as_source(form, frame, tmp_path, label="bad", text_columns=codec.text_columns)
    assert source.kind == "table"
    assert source.columns == ["amount", "count", "flag", "country"]
    assert source.count() == N
    rows, raws = zip(*source.chunks(64), strict=True)
    assert all(0 < len(chunk) <= 64 for chunk in rows)
    assert np.concatenate(rows).tolist() == list(range(N))
    raw = concat(raws)
    expected = codec.encode(next(iter(open_source(frame, label="bad").chunks(N)))[1])
    assert torch.equal(codec.encode(raw), expected)
    assert torch.equal(torch.cat([codec.encode(chunk) for chunk in raws]), expected)
    assert fit_codec(raw).to_state() == codec.to_state()
    assert source.labels().tolist() == frame["bad"].tolist()


@pytest.mark.parametrize("form", ["pandas", "parquet", "csv"])
def test_random_order_covers_each_row_once(form, frame, tmp_path):
    source = as_source(form, frame, tmp_path, label="bad")
    order = []
    for rows, raw in source.chunks(40, order=np.random.default_rng(1)):
        counts = raw.column("count").to_pylist()
        assert counts == frame["count"].to_numpy()[rows].tolist()
        order.extend(rows.tolist())
    assert sorted(order) == list(range(N))
    assert (order != sorted(order)) == source.shuffles == (form != "csv")


def test_the_order_depends_only_on_the_generator(frame):
    def rows(seed):
        chunks = open_source(frame).chunks(10, order=np.random.default_rng(seed))
        return [row for index, _ in chunks for row in index.tolist()]

    assert rows(0) == rows(0) != rows(1)


@pytest.mark.parametrize(
    "labels", [["ok", "bad", "ok"], [0, 1, 0], [True, False, True], [0.5, 2, 1]]
)
@pytest.mark.parametrize("form", ["pandas", "parquet", "csv"])
def test_labels_keep_their_type(labels, form, tmp_path):
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0], "y": labels})
    values = as_source(form, frame, tmp_path, label="y").labels()
    assert values.tolist() == labels
    assert values.dtype == (object if isinstance(labels[0], str) else np.array(labels).dtype)


def test_no_labels_without_label(frame, tmp_path):
    for form in ("pandas", "parquet", "csv"):
        assert as_source(form, frame, tmp_path).labels() is None
    assert open_source(np.ones((3, 2))).labels() is None


def test_the_index_that_pandas_writes_to_parquet_is_not_a_column(frame, tmp_path):
    source = as_source("parquet", frame[frame["count"] > 3], tmp_path)
    assert source.columns == list(frame.columns)


def test_npy_is_mapped_and_npz_has_its_keys(tmp_path):
    X, y = np.random.default_rng(0).normal(size=(20, 3)), np.arange(20)
    np.save(tmp_path / "X.npy", X)
    np.savez(tmp_path / "both.npz", X=X, y=y)
    np.savez(tmp_path / "one.npz", anything=X)
    mapped = open_source(tmp_path / "X.npy")
    chunks = [raw for _, raw in mapped.chunks(7)]
    np.testing.assert_array_equal(concat(chunks), X)
    assert isinstance(chunks[0].base.base, np.memmap)  # not read into memory at once
    source = open_source(str(tmp_path / "both.npz"), label="y")
    np.testing.assert_array_equal(next(iter(source.chunks(99)))[1], X)
    np.testing.assert_array_equal(source.labels(), y)
    assert open_source(tmp_path / "one.npz").count() == 20


@pytest.mark.parametrize("wrap", [np.asarray, torch.tensor, list])
def test_arrays_tensors_and_lists(wrap):
    X = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.5]]
    source = open_source(wrap(X))
    assert (source.kind, source.columns, source.names, source.count()) == ("table", None, None, 3)
    np.testing.assert_array_equal(concat([raw for _, raw in source.chunks(2)]), X)


def test_an_array_of_objects_that_are_numbers_is_converted():
    raw = next(iter(open_source(np.array([[1, 2.5], [3, 4]], dtype=object)).chunks(9)))[1]
    assert raw.dtype == np.float64


def test_folder_names_in_natural_order(folder):
    source = open_source(folder)
    assert source.kind == "image"
    assert source.names == ["b/x.BMP", "img1.jpg", "img2.png", "img3.tif", "img10.png"]
    assert source.count() == 5
    rows, raws = zip(*source.chunks(2), strict=True)
    assert np.concatenate(rows).tolist() == list(range(5))
    assert {image.shape for image in concat(raws)} == {(12, 10)}
    assert open_source(folder, pattern="img*.png").names == ["img2.png", "img10.png"]
    assert open_source(folder, pattern="b/*").names == ["b/x.BMP"]
    assert open_source(folder / "img2.png").names == ["img2.png"]


def test_folder_in_random_order_keeps_rows_and_names_together(folder):
    source = open_source(folder)
    for rows, images in source.chunks(1, order=np.random.default_rng(0)):
        expected = np.asarray(Image.open(folder / source.names[rows[0]]))
        np.testing.assert_array_equal(images[0], expected)


def test_image_files_of_every_mode(tmp_path):
    colour = np.random.default_rng(0).integers(0, 256, (9, 8, 3), dtype=np.uint8)
    deep = (np.arange(72, dtype=np.uint16) * 900).reshape(9, 8)
    picture = Image.fromarray(colour)
    Image.fromarray(deep).save(tmp_path / "a_deep.png")
    Image.fromarray(deep).save(tmp_path / "b_deep.tiff")
    picture.quantize(4).save(tmp_path / "c_palette.png")
    picture.convert("RGBA").save(tmp_path / "d_alpha.png")
    picture.convert("LA").save(tmp_path / "e_grey_alpha.png")
    picture.convert("1").save(tmp_path / "f_black_white.png")
    Image.fromarray(deep.astype(np.float32)).save(tmp_path / "g_float.tif")
    images = next(iter(open_source(tmp_path).chunks(99)))[1]
    np.testing.assert_array_equal(images[0], deep)
    np.testing.assert_array_equal(images[1], deep)
    np.testing.assert_array_equal(images[2], np.asarray(picture.quantize(4).convert("RGB")))
    np.testing.assert_array_equal(images[3], colour)
    assert [image.shape for image in images[4:]] == [(9, 8)] * 3
    kinds = [str(image.dtype) for image in images]
    assert kinds == ["uint16", "uint16", "uint8", "uint8", "uint8", "uint8", "float32"]
    assert set(np.unique(images[5])) <= {0, 255}


def test_a_corrupt_image_is_named_or_skipped(folder, tmp_path):
    for name in ("1.png", "3.png", "4.png"):
        Image.open(folder / "img1.jpg").save(tmp_path / name)
    whole = (folder / "img10.png").read_bytes()
    (tmp_path / "2.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "5.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"2\.png: cannot be read as an image"):
        list(open_source(tmp_path).chunks(9))
    source = open_source(tmp_path, skip_bad=True)
    for _ in range(2):  # reading twice does not list a file twice
        chunks = list(source.chunks(2))
    rows = np.concatenate([rows for rows, _ in chunks])
    assert [source.names[row] for row in rows] == ["1.png", "3.png", "4.png"]
    assert [len(raw) for _, raw in chunks] == [1, 2]
    assert [name for name, _ in source.skipped] == ["2.png", "5.png"]
    assert all("cannot be read" in reason for _, reason in source.skipped)


def test_chunks_of_large_images_are_small(folder, monkeypatch):
    monkeypatch.setattr("oddgan.inputs.sources.folder._CHUNK_BYTES", 200)  # an image has 120
    rows = [rows.tolist() for rows, _ in open_source(folder).chunks(4)]
    assert rows == [[0, 1], [2, 3], [4]]


@pytest.mark.parametrize("label", [None, "a"])
def test_csv_integers_may_be_followed_by_decimals_and_missing_values(label, tmp_path, monkeypatch):
    # More than one block of the reader, whose types are then inferred from integers alone.
    monkeypatch.setattr("oddgan.inputs.sources.files._BLOCK_BYTES", 1000)
    path = tmp_path / "long.csv"
    lines = [f"{i},{i % 7}" for i in range(1000)] + ["0.5,1.5", "NA,", '"7","NaN"']
    path.write_text("a,b\n" + "\n".join(lines) + "\n")
    source = open_source(path, label=label)
    last = [raw for _, raw in source.chunks(10_000)][-1]
    assert last.column("b").to_pylist()[-3:] == [1.5, None, None]
    if label:
        np.testing.assert_array_equal(source.labels()[-3:], [0.5, np.nan, 7.0])
    else:
        assert last.column("a").to_pylist()[-3:] == [0.5, None, 7.0]
        assert source.count() == len(lines)
        path.write_text(path.read_text() + "oops,1\n")
        with pytest.raises(
            ValueError, match=r"long\.csv: column 'a', row 1003: .*'oops' in a column of numbers"
        ):
            list(open_source(path).chunks(10_000))


def test_csv_text_columns_stay_text(tmp_path):
    path = tmp_path / "zip.csv"
    path.write_text("zip,x\n017,1\n18,2\n")
    raw = next(iter(open_source(path, text_columns=["zip", "elsewhere"]).chunks(9)))[1]
    assert raw.to_pydict() == {"zip": ["017", "18"], "x": [1.0, 2.0]}


def test_csv_columns_that_begin_empty(tmp_path, monkeypatch):
    monkeypatch.setattr("oddgan.inputs.sources.files._BLOCK_BYTES", 100)
    lines = ["1,,,"] * 100 + ["2,7,x,", "3,8.5,y,"]
    (tmp_path / "t.csv").write_text("a,late,text,never\n" + "\n".join(lines) + "\n")
    raw = concat([raw for _, raw in open_source(tmp_path / "t.csv").chunks(50)])
    assert raw["late"].to_pylist()[-3:] == [None, 7.0, 8.5]
    assert raw["text"].to_pylist()[-3:] == [None, "x", "y"]
    assert raw["never"].null_count == 102


def test_csv_without_rows(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n")
    source = open_source(tmp_path / "t.csv", label="b")
    assert (source.count(), list(source.chunks(5)), source.labels().tolist()) == (0, [], [])


def test_a_subset_keeps_the_row_numbers_of_its_source(frame):
    keep = frame["count"].to_numpy() > 5
    subset = Subset(open_source(frame, label="bad"), keep)
    rows, raws = zip(*subset.chunks(3), strict=True)
    assert np.concatenate(rows).tolist() == np.flatnonzero(keep).tolist()
    assert concat(raws).column("count").to_pylist() == frame["count"][keep].tolist()
    assert subset.count() == keep.sum()
    assert subset.labels().tolist() == frame["bad"][keep].tolist()


@pytest.mark.parametrize("kind", ["array", "table", "list"])
def test_select_by_mask_and_by_index(kind):
    X = np.arange(12.0).reshape(6, 2)
    raw = {"array": X, "table": pa.table({"a": X[:, 0]}), "list": list(X)}[kind]

    def firsts(raw):
        return raw["a"].to_pylist() if kind == "table" else [float(row[0]) for row in raw]

    assert firsts(select(raw, np.array([4, 0, 4]))) == [8.0, 0.0, 8.0]
    assert firsts(select(raw, X[:, 0] > 5)) == [6.0, 8.0, 10.0]
    assert firsts(select(raw, np.array([], dtype=int))) == []
    assert firsts(concat([raw, select(raw, np.array([1]))])) == [0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 2.0]


def test_a_subset_of_a_subset_keeps_the_rows_and_their_numbers():
    source = open_source(np.arange(20.0).reshape(10, 2))
    odd_rows = Subset(source, np.arange(10) % 2 == 1)
    subset = Subset(odd_rows, np.array([True, False, True, False, True]))
    rows, raw = next(subset.chunks(10))
    assert rows.tolist() == [1, 5, 9]
    assert raw[:, 0].tolist() == [2, 10, 18]
    assert subset.count() == 3
