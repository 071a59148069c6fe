"""Ranks of numeric columns, alone and beside the value, and the rule of scaling "auto"."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from scipy.stats import norm, rankdata

from oddgan import VAE, Autoencoder, load
from oddgan.inputs import Block, codec_from_state, fit_codec, open_source

RANKS = ["rank", "standard+rank"]


def encoded(codec, values):
    return codec.encode(np.asarray(values)[:, None]).numpy()


def column(values, scaling, dtype=float):
    return fit_codec(np.asarray(values, dtype=dtype)[:, None], scaling=scaling)


def test_rank_scaling_by_hand():
    codec = column([3, 1, 3, 7], "rank")
    # Mid-ranks of training: 1, 2.5 (twice), 4; of -9, 2, 5 and 99: 0.5, 1.5, 3.5 and 4.5.
    x = encoded(codec, [1.0, 3, 7, -9, 2, 5, 99])[:, 0]
    np.testing.assert_allclose(
        x, norm.ppf(np.array([1, 2.5, 4, 0.5, 1.5, 3.5, 4.5]) / 5), atol=1e-6
    )


def test_ranks_of_training_values_match_scipy():
    values = np.random.default_rng(0).integers(-20, 20, 500) / 7
    x = encoded(column(values, "rank"), values)[:, 0]
    np.testing.assert_allclose(x, norm.ppf(rankdata(values) / 501), rtol=1e-6, atol=1e-7)


def test_standard_and_rank_columns_by_hand():
    x = encoded(column([1, 3], "standard+rank"), [1.0, 3.0])
    value, rank = 10 * np.tanh(0.1), norm.ppf(2 / 3)
    np.testing.assert_allclose(x * np.sqrt(2), [[-value, -rank], [value, rank]], rtol=1e-6)


def test_the_earlier_name_of_a_kind_of_column_is_read_from_files():
    _, raw = mixed()
    codec = fit_codec(raw, scaling="standard+rank")
    state, arrays = codec.to_state()
    old_state = json.loads(json.dumps(state).replace('"standard+rank"', '"two_view"'))
    assert old_state != state
    restored = codec_from_state(old_state, arrays)
    assert restored.columns == codec.columns
    assert torch.equal(restored.encode(raw), codec.encode(raw))


def test_scores_of_many_distinct_values_err_by_a_hundredth_at_most():
    rng = np.random.default_rng(0)
    values = np.where(rng.random(50_000) < 0.3, 0.0, rng.standard_cauchy(50_000))
    codec = column(values, "rank")
    knots = codec.to_state()[1]["knots"]
    assert 600 < len(knots) <= 1000
    assert {values.min(), 0.0, values.max()} <= {*knots}
    x = encoded(codec, values)[:, 0]
    exact = norm.ppf(rankdata(values) / 50_001)
    errors = np.abs(x - exact)
    assert 1e-6 < errors.max() < 0.01
    assert errors.mean() < 3e-4  # 0.01 if ranks were not interpolated
    np.testing.assert_allclose(x[values == 0], exact[values == 0], rtol=1e-5)
    x = encoded(codec, np.sort(values))[:, 0]
    assert (np.diff(x) >= 0).all()


@pytest.mark.parametrize("scaling", RANKS)
def test_decoding_undoes_encoding(scaling):
    rng = np.random.default_rng(0)
    values = np.exp(3 * rng.normal(size=300)).round(3)
    codec = column(values, scaling)
    back = codec.decode(codec.encode(values[:, None]))[:, 0]
    tolerance = {"rtol": 1e-12} if scaling == "rank" else {"rtol": 1e-6, "atol": 1e-5}
    np.testing.assert_allclose(back, values, **tolerance)
    new = np.array([values.min() - 5, np.median(values) + 1e-3, 2 * values.max()])
    back = codec.decode(codec.encode(new[:, None]))[:, 0]
    if scaling == "rank":  # which knows only the order
        new = np.clip(new, values.min(), values.max())
    np.testing.assert_allclose(back, new, rtol=5e-3)


def test_two_views_are_decoded_by_the_view_that_tells_values_apart():
    rng = np.random.default_rng(0)
    values = rng.normal(size=2000)
    values[:5] = [2e3, 4e3, 6e3, 8e3, 1e4]  # the standard deviation is over 300
    codec = column(values, "standard+rank")
    x = codec.encode(values[:, None]) + 0.02 * torch.from_numpy(rng.normal(size=(2000, 2))).float()
    back = codec.decode(x)[:, 0]
    assert np.abs(back[5:] - values[5:]).max() < 1  # 0.02 of the value view is 10
    np.testing.assert_allclose(back[:5], values[:5], rtol=0.1)


@pytest.mark.parametrize("scaling", RANKS)
@pytest.mark.parametrize("trained_on", [np.float32, np.float64])
def test_ties_are_ties_in_both_precisions(scaling, trained_on):
    values = np.repeat([0.1, 0.2, 0.7], [50, 3, 20])
    codec = column(values, scaling, trained_on)
    x32, x64 = (encoded(codec, values.astype(dtype)) for dtype in (np.float32, np.float64))
    np.testing.assert_allclose(x32, x64, rtol=1e-6)


def test_a_large_offset_does_not_change_ranks():
    values = 1e9 + np.arange(20) / 100
    x = encoded(column(values, "rank"), values)[:, 0]
    np.testing.assert_allclose(x, norm.ppf(np.arange(1, 21) / 21), rtol=1e-6)


@pytest.mark.parametrize("scaling", [*RANKS, "auto"])
def test_heavy_tails_and_the_smallest_numbers(scaling):
    values = np.array([-1e308, 0, 5e-324, 1.5e-323, 2.5e-323, 1, 1e300, 1e308])
    codec = column(values, scaling)
    between = np.array([-1.7e308, -1e307, 1e-323, 2e-323, 5e307, 1.7e308])
    for x in (encoded(codec, values), encoded(codec, between)):
        assert np.isfinite(x).all()
        assert (np.diff(x[:, -1]) > 0).all()
        assert np.isfinite(codec.decode(torch.from_numpy(x))).all()


def mixed(n=60):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "long": rng.lognormal(sigma=2, size=n),
            "gap": np.where(np.arange(n) % 7, rng.normal(size=n), np.nan),
            "flag": rng.random(n) > 0.5,
            "text": rng.choice(["a", "b"], n),
            "same": 3.0,
            "other": rng.lognormal(sigma=3, size=n),
        }
    )
    return frame, next(iter(open_source(frame).chunks(n)))[1]


def test_layout_of_standard_and_rank_columns():
    frame, raw = mixed()
    codec = fit_codec(raw, scaling="standard+rank")
    layout = [(c.name, c.kind, c.start, c.stop) for c in codec.columns]
    assert layout == [
        ("long", "standard+rank", 0, 2),
        ("gap", "standard+rank", 2, 5),
        ("flag", "boolean", 5, 6),
        ("text", "categorical", 6, 9),
        ("same", "constant", 9, 10),
        ("other", "standard+rank", 10, 12),
    ]
    assert codec.n_free == 12 - 3
    assert codec.blocks() == [
        Block("gaussian", 0, 4),
        Block("bernoulli", 4, 6),
        Block("categorical", 6, 9),
        Block("bernoulli", 9, 10),
        Block("gaussian", 10, 12),
    ]
    x = codec.encode(raw)
    assert x[:, 4].tolist() == frame["gap"].isna().tolist()
    np.testing.assert_allclose(x[frame["gap"].isna(), 3], 0, atol=1e-6)  # the median's rank
    assert codec.decode(x)["gap"].isna().tolist() == frame["gap"].isna().tolist()
    assert codec.per_column(torch.arange(12.0)[None])[0].tolist() == [1, 9, 5, 21, 9, 21]


@pytest.mark.parametrize("scaling", [*RANKS, "auto"])
def test_state_and_chunks(scaling):
    _, raw = mixed()
    codec = fit_codec(raw, scaling=scaling)
    state, arrays = codec.to_state()
    assert len(json.dumps(state)) < 2000
    restored = codec_from_state(json.loads(json.dumps(state)), arrays)
    assert restored.columns == codec.columns
    x = codec.encode(raw)
    assert torch.equal(torch.cat([restored.encode(raw.slice(i, 1)) for i in range(len(raw))]), x)
    assert restored.decode(x).equals(codec.decode(x))
    assert codec.encode(raw.slice(0, 0)).shape == (0, *codec.shape)
    wide = pa.table(raw.slice(0, 30)).set_column(0, "long", raw["long"].slice(30))
    assert fit_codec(wide, scaling=scaling).columns != codec.columns


def test_auto_adds_the_rank_if_it_adds_information():
    rng = np.random.default_rng(0)
    n = 1000
    columns = {
        "normal": rng.normal(size=n),
        "uniform": rng.random(n),
        "two_values": (rng.random(n) < 0.02).astype(float),
        "exponential": rng.exponential(size=n),
        "many_zeros": np.where(rng.random(n) < 0.8, 0, rng.random(n)),
        "one_outlier": np.append(rng.normal(size=n - 1), 1e5),
    }
    codec = fit_codec(np.stack([*columns.values()], axis=1), scaling="auto")
    kinds = dict(zip(columns, [column.kind for column in codec.columns], strict=True))
    assert kinds == {
        "normal": "numeric",
        "uniform": "numeric",
        "two_values": "numeric",
        "exponential": "standard+rank",
        "many_zeros": "standard+rank",
        "one_outlier": "standard+rank",
    }


def test_a_vae_of_standard_and_rank_columns_trains_saves_and_explains(tmp_path):
    frame, _ = mixed()
    vae = VAE(min_steps=60, epochs=1, scaling="standard+rank", random_state=0)
    vae.fit(frame, condition=np.exp(frame["other"] % 3))
    assert vae.history_[-1]["elbo"] < vae.history_[0]["elbo"]
    vae.save(tmp_path / "model")
    restored, condition = load(tmp_path / "model"), {"condition": np.arange(60.0)}
    scores = vae.anomaly_score(frame, **condition)
    np.testing.assert_array_equal(restored.anomaly_score(frame, **condition), scores)
    assert vae.explain(frame, **condition).shape == (60, 6)
    assert list(vae.reconstruct(frame, **condition).columns) == list(frame.columns)


def test_a_second_view_does_not_widen_the_bottleneck():
    X = np.random.default_rng(0).normal(size=(40, 6))
    quick = {"min_steps": 1, "max_steps": 1, "random_state": 0}
    for scaling in ("standard", "standard+rank"):
        assert Autoencoder(scaling=scaling, **quick).fit(X).embed(X).shape == (40, 3)
