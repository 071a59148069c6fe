"""Table codecs: kinds of columns, scales, missing values, and decoding."""

import json
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch

from oddgan.inputs import Block, codec_from_state, fit_codec, open_source


def raw_of(data, **options):
    return next(iter(open_source(data, **options).chunks(10**9)))[1]


def fitted(data, **options):
    raw = raw_of(data)
    codec = fit_codec(raw, **options)
    return codec, codec.encode(raw)


def mixed(n=200):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "number": rng.normal(5, 2, n),
            "gap": rng.normal(size=n),
            "flag": rng.random(n) > 0.5,
            "maybe": pd.array(rng.random(n) > 0.2, dtype="boolean"),
            "text": rng.choice(["a", "b", "c"], n, p=[0.6, 0.3, 0.1]),
            "hole": rng.choice(["u", "v"], n),
            "same": 3.0,
            "id": [f"id{i}" for i in range(n)],
        }
    )
    frame.loc[[1, 2], "gap"] = np.nan
    frame.loc[3, "maybe"] = None
    frame.loc[4, "hole"] = None
    return frame


@pytest.fixture(scope="module")
def codec():
    with pytest.warns(UserWarning, match="column 'id' is ignored"):
        return fit_codec(raw_of(mixed()))


def test_kinds_and_layout(codec):
    layout = [(c.name, c.kind, c.start, c.stop) for c in codec.columns]
    assert layout == [
        ("number", "numeric", 0, 1),
        ("gap", "numeric", 1, 3),
        ("flag", "boolean", 3, 4),
        ("maybe", "boolean", 4, 6),
        ("text", "categorical", 6, 10),  # a, b, c, other
        ("hole", "categorical", 10, 14),  # u, v, other, missing
        ("same", "constant", 14, 15),
        ("id", "ignored", 15, 15),
    ]
    assert codec.shape == (15,)
    assert codec.text_columns == ["text", "hole", "id"]
    assert codec.blocks() == [
        Block("gaussian", 0, 2),
        Block("bernoulli", 2, 6),
        Block("categorical", 6, 10),
        Block("categorical", 10, 14),
        Block("bernoulli", 14, 15),
    ]


def test_missing_values_are_filled_and_flagged(codec):
    frame = mixed()
    x = codec.encode(raw_of(frame))
    median = codec.encode(raw_of(frame.assign(gap=frame["gap"].median())))[0, 1]
    assert x[1, 1] == median
    assert x[:5, 2].tolist() == [0, 1, 1, 0, 0]
    assert x[:5, 5].tolist() == [0, 0, 0, 1, 0]
    assert x[3, 4] == 1  # True is the more frequent
    assert x[4, 10:14].tolist() == [0, 0, 0, 1]
    assert torch.equal(x[:, 6:10].sum(1), torch.ones(len(x)))
    assert torch.equal(x[:, 10:14].sum(1), torch.ones(len(x)))


def test_decode_undoes_encode(codec):
    frame = mixed()
    back = codec.decode(codec.encode(raw_of(frame)))
    assert list(back.columns) == list(frame.columns)
    np.testing.assert_allclose(back["number"], frame["number"], rtol=1e-5)
    np.testing.assert_allclose(back["gap"], frame["gap"], rtol=1e-4, atol=1e-5)  # NaN where NaN
    assert back["flag"].dtype == bool
    for name in ("flag", "text", "same"):
        assert back[name].tolist() == frame[name].tolist()
    for name in ("maybe", "hole"):
        assert back[name].isna().tolist() == frame[name].isna().tolist()
        assert back[name].dropna().tolist() == frame[name].dropna().tolist()


def test_state_goes_through_json_and_encodes_bit_for_bit(codec):
    state, arrays = codec.to_state()
    restored = codec_from_state(json.loads(json.dumps(state)), arrays)
    raw = raw_of(mixed())
    assert torch.equal(restored.encode(raw), codec.encode(raw))
    assert restored.columns == codec.columns
    assert restored.decode(codec.encode(raw)).equals(codec.decode(codec.encode(raw)))


def test_each_row_is_encoded_alone(codec):
    raw = raw_of(mixed())
    singles = [codec.encode(raw.slice(i, 1)) for i in range(len(raw))]
    assert torch.equal(torch.cat(singles), codec.encode(raw))


def test_no_rows_encode_to_no_rows(codec):
    assert codec.encode(raw_of(mixed()).slice(0, 0)).shape == (0, 15)
    assert codec.encode(pa.table(mixed()[:0]).cast(raw_of(mixed()).schema)).shape == (0, 15)


def test_encoding_depends_only_on_the_training_rows(codec):
    frame = mixed()
    changed = frame[:10].assign(number=frame["number"][:10] * 1000, text="a")
    assert torch.equal(codec.encode(raw_of(changed))[:, 1:6], codec.encode(raw_of(frame))[:10, 1:6])
    assert codec.encode(raw_of(changed))[:, 0].max() > 9.9


def test_per_column_sums_the_features_of_a_column(codec):
    residual = torch.arange(30.0).reshape(2, 15)
    sums = codec.per_column(residual)
    assert sums.shape == (2, 8)
    assert sums[0].tolist() == [0, 1 + 2, 3, 4 + 5, 6 + 7 + 8 + 9, 10 + 11 + 12 + 13, 14, 0]


def test_standard_scaling_by_hand():
    _, x = fitted(np.array([[1.0], [3.0]]))
    np.testing.assert_allclose(x.numpy()[:, 0], 10 * np.tanh([-0.1, 0.1]), rtol=1e-6)


@pytest.mark.parametrize(
    ("scaling", "expected"),
    [
        ("minmax", 10 * np.tanh(np.array([0, 0.25, 0.5, 0.75, 1]) / 10)),
        ("robust", 10 * np.tanh(np.array([-2, -1, 0, 1, 2]) * 1.349 / 2 / 10)),
        ("none", [0.0, 10.0, 20.0, 30.0, 40.0]),
    ],
)
def test_other_scalings_by_hand(scaling, expected):
    codec, x = fitted(np.array([[0.0], [10.0], [20.0], [30.0], [40.0]]), scaling=scaling)
    np.testing.assert_allclose(x.numpy()[:, 0], expected, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(codec.decode(x)[:, 0], [0, 10, 20, 30, 40], rtol=1e-5, atol=1e-5)


def test_robust_scaling_falls_back_where_most_values_are_equal():
    X = np.array([[0.0]] * 9 + [[5.0]])
    _, x = fitted(X, scaling="robust")
    np.testing.assert_allclose(x[-1, 0], 10 * np.tanh(5 / X.std() / 10), rtol=1e-6)


@pytest.mark.parametrize("scaling", ["standard", "minmax", "robust"])
def test_heavy_tails_stay_finite_and_in_order(scaling):
    X = np.array([[-1e308], [0.0], [1.0], [1e300], [1e308], [5e-324]])
    _, x = fitted(X, scaling=scaling)
    assert torch.isfinite(x).all()
    assert x.abs().max() <= 10
    codec, _ = fitted(np.random.default_rng(0).normal(size=(50, 1)), scaling=scaling)
    far = codec.encode(np.array([[-1e308], [-5.0], [5.0], [50.0], [1e308]]))[:, 0]
    assert torch.isfinite(far).all()
    assert (far.diff() > 0).all()
    assert np.isfinite(codec.decode(far[:, None])).all()


def test_a_large_offset_loses_no_precision():
    values = 1e9 + np.random.default_rng(0).normal(size=(100, 1))
    _, x = fitted(values)
    expected = 10 * np.tanh((values - values.mean()) / values.std() / 10)
    np.testing.assert_allclose(x.numpy(), expected, rtol=1e-4, atol=1e-6)


def test_rare_and_unseen_categories_share_a_slot():
    texts = ["a"] * 1500 + ["b"] * 497 + ["two", "two", "once"]
    codec, x = fitted(pd.DataFrame({"t": texts, "x": np.arange(2000.0)}))
    # 0.1 % of 2000 rows is 2: "two" stays, "once" is pooled.
    assert codec.columns[0].categories == ("a", "b", "two")
    assert x[-1, :4].tolist() == [0, 0, 0, 1]
    new = codec.encode(raw_of(pd.DataFrame({"t": ["zebra", "b"], "x": [0.0, 1.0]})))
    assert new[:, :4].tolist() == [[0, 0, 0, 1], [0, 1, 0, 0]]
    assert codec.decode(new)["t"].tolist() == ["(other)", "b"]


def test_the_sixty_four_most_frequent_categories_stay():
    texts = [f"c{i:03}" for i in range(100) for _ in range(2 + (i >= 50))]
    codec, _ = fitted(pd.DataFrame({"t": texts, "x": np.arange(len(texts), dtype=float)}))
    categories = codec.columns[0].categories
    assert len(categories) == 64
    assert {f"c{i:03}" for i in range(50, 100)} < set(categories)


def test_a_deviation_from_a_constant_is_visible_and_bounded():
    frame = pd.DataFrame({"k": 7, "t": "on", "n": [None, None, None], "x": [1.0, 2.0, 3.0]})
    codec, x = fitted(frame)
    assert [c.kind for c in codec.columns] == ["constant"] * 3 + ["numeric"]
    assert x[:, :3].abs().sum() == 0
    new = pd.DataFrame({"k": [7.0, 1e9], "t": ["on", "off"], "n": [None, "here"], "x": 1.0})
    assert codec.encode(raw_of(new))[:, :3].tolist() == [[0, 0, 0], [1, 1, 1]]
    back = codec.decode(x)
    assert back["k"].tolist() == [7] * 3
    assert back["t"].tolist() == ["on"] * 3
    assert back["n"].isna().all()


def test_a_column_without_any_value(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n,1\n,2\n")
    codec, x = fitted(tmp_path / "t.csv")
    assert codec.columns[0].kind == "constant"
    assert x[:, 0].tolist() == [0, 0]
    assert codec.encode(raw_of(pd.DataFrame({"a": [5.0, None], "b": 1.0})))[:, 0].tolist() == [1, 0]


def test_a_constant_with_missing_values_keeps_them():
    frame = pd.DataFrame({"k": [5.0, None, 5.0], "t": ["a", "a", None]})
    codec, x = fitted(frame)
    assert x.tolist() == [[0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]]
    assert codec.decode(x).isna().to_numpy().tolist() == frame.isna().to_numpy().tolist()


@pytest.mark.parametrize("dtype", ["float64", "float32", "int32", "uint8", "bool"])
def test_arrays_come_back_as_arrays(dtype):
    X = np.random.default_rng(0).integers(0, 2 if dtype == "bool" else 50, (30, 4)).astype(dtype)
    codec, x = fitted(X)
    assert {c.kind for c in codec.columns} == {"boolean" if dtype == "bool" else "numeric"}
    back = codec.decode(x)
    assert back.dtype == {"float32": np.float32, "bool": bool}.get(dtype, np.float64)
    np.testing.assert_allclose(back, X, atol=1e-4)


def test_float32_and_float64_encode_alike():
    X = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    assert torch.equal(fitted(X)[1], fitted(X.astype(np.float64))[1])


def test_frames_match_by_name_and_arrays_by_position():
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [True, False, True]})
    codec, x = fitted(frame)
    assert torch.equal(codec.encode(raw_of(frame[["b", "a"]])), x)
    assert torch.equal(codec.encode(raw_of(frame.to_numpy(dtype=float))), x)
    unnamed, y = fitted(np.array([[1.0, 1.0], [2.0, 0.0], [3.0, 1.0]]))
    assert torch.equal(unnamed.encode(raw_of(pl.from_pandas(frame))), y)


def test_decimals_and_categories_of_numbers():
    table = pa.table(
        {"d": [Decimal("1.00"), Decimal("2.00"), Decimal("4.00")], "x": [1.0, 2.0, 3.0]}
    )
    np.testing.assert_array_equal(
        fitted(table)[1][:, 0], fitted(np.array([[1.0], [2.0], [4.0]]))[1][:, 0]
    )
    frame = pd.DataFrame({"k": pd.Categorical([1, 2, 1, 2]), "x": [1.0, 2.0, 3.0, 4.0]})
    codec, x = fitted(frame)
    assert codec.columns[0].categories == ("1", "2")
    assert torch.equal(codec.encode(raw_of(pl.from_pandas(frame.astype({"k": str})))), x)


def test_nan_is_a_missing_value_in_every_kind_of_frame():
    column = [1.0, float("nan"), 3.0]
    expected = fitted(pd.DataFrame({"a": column}))[1]
    assert torch.equal(fitted(pl.DataFrame({"a": column}))[1], expected)
    assert torch.equal(fitted(pa.table({"a": column}))[1], expected)


def test_no_warnings_on_clean_data():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        codec, x = fitted(mixed().drop(columns="id"))
        codec.decode(x)
