"""Known context: a sample can be odd for its context though common overall."""

import json
import shlex
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from PIL import Image
from sklearn.metrics import roc_auc_score
from torch import nn

import oddgan
from oddgan import EGBAD, VAE, all_detectors, cli, datasets, inputs, networks
from oddgan.estimator import Hooks
from oddgan.networks import condition_layers, condition_on, condition_on_rows, initialise
from support import checks
from support.data import DATA, quick

#: Every detector, with each kind that it takes: all take a condition.
of_every_detector = pytest.mark.parametrize(
    ("conditional_class", "kind"),
    [
        pytest.param(cls, kind, id=f"{cls.__name__}-{kind}")
        for cls in all_detectors().values()
        for kind in cls.kinds
    ],
)
#: The same without OddGAN, which has no losses of its own.
of_every_method = pytest.mark.parametrize(
    ("conditional_class", "kind"),
    [
        pytest.param(cls, kind, id=f"{cls.__name__}-{kind}")
        for cls in all_detectors().values()
        if issubclass(cls, Hooks)
        for kind in cls.kinds
    ],
)


def seasons(n, seed):
    """Consumption: about 8 in winter and 2 in summer."""
    rng = np.random.default_rng(seed)
    season = rng.choice(["winter", "summer"], n)
    level = np.where(season == "winter", 8.0, 2.0)[:, None]
    return level + np.arange(4) / 2 + rng.normal(0, 0.5, (n, 4)), season


def other(season):
    return np.where(season == "winter", "summer", "winter")


# ------------------------------------------------------------------------- what it is good for


@pytest.mark.parametrize("cls", [EGBAD, VAE])
def test_winter_consumption_in_summer_is_found_by_the_conditional_model_alone(cls):
    (X, season), (new, now) = seasons(1000, 0), seasons(400, 1)
    said = np.where(np.arange(400) < 200, now, other(now))
    odd = np.arange(400) >= 200
    blind = cls(random_state=0).fit(X)
    assert 0.4 < roc_auc_score(odd, blind.anomaly_score(new)) < 0.6
    detector = cls(random_state=0).fit(X, condition=season)
    assert roc_auc_score(odd, detector.anomaly_score(new, condition=said)) > 0.99
    flagged = detector.predict(new, condition=said) == -1
    assert flagged[odd].mean() > 0.95
    assert flagged[~odd].mean() < 0.15


def test_a_continuous_context_is_followed():
    """y = 3 t: every y is common, and odd where t is another one."""
    rng = np.random.default_rng(0)

    def draw(n):
        t = rng.uniform(-2, 2, n)
        return 3 * t[:, None] + rng.normal(0, 0.3, (n, 3)), t

    (X, t), (new, now) = draw(1500), draw(300)
    odd = np.arange(300) >= 150
    said = np.where(odd, np.where(now > 0, now - 2, now + 2), now)
    detector = VAE(random_state=0).fit(X, condition=t)
    assert roc_auc_score(odd, detector.anomaly_score(new, condition=said)) > 0.97
    assert 0.35 < roc_auc_score(odd, VAE(random_state=0).fit(X).anomaly_score(new)) < 0.65


# --------------------------------------------------------------------------- on every detector


@of_every_detector
def test_every_answer_is_given_for_a_context(conditional_class, kind, table, images, tmp_path):
    X = {"table": table, "image": images}[kind]
    rng = np.random.default_rng(0)
    context = pd.DataFrame(
        {"place": rng.choice(["a", "b", "c"], len(X)), "hour": rng.random(len(X))}
    )
    detector = quick(conditional_class).fit(X, condition=context)
    X, context = X[:40], context[:40]
    scores = detector.anomaly_score(X, condition=context)
    assert np.isfinite(scores).all()
    elsewhere = context.assign(place=context["place"].map({"a": "b", "b": "c", "c": "a"}))
    assert not np.allclose(detector.anomaly_score(X, condition=elsewhere), scores)
    # A sample's score is of its own context, whatever its mates.
    order = rng.permutation(len(X))
    shuffled = detector.anomaly_score(X[order], condition=context.iloc[order])
    np.testing.assert_allclose(shuffled, scores[order], rtol=1e-6)
    alone = detector.anomaly_score(X[3:4], condition=context.iloc[3:4])
    np.testing.assert_allclose(alone, scores[3:4], rtol=1e-6)
    # All answers take it, and a file keeps it.
    for question in ("embed", "explain", "reconstruct"):
        if question not in detector.unavailable:
            assert len(getattr(detector, question)(X[:5], condition=context[:5])) == 5
    assert set(detector.predict(X, condition=context)) <= {-1, 1}
    detector.save(tmp_path / "m.oddgan")
    again = oddgan.load(tmp_path / "m.oddgan")
    np.testing.assert_array_equal(again.anomaly_score(X, condition=context), scores)


@of_every_method
def test_every_map_of_the_context_has_a_gradient(conditional_class, kind):
    context = np.random.default_rng(0).random((len(DATA[kind]()), 2))
    checks.check_every_loss_trains_its_networks_and_nothing_else(conditional_class, kind, context)


# --------------------------------------------------------------------- how it can be handed over


@pytest.fixture
def frame():
    X, season = seasons(200, 0)
    return pd.DataFrame(X, columns=list("abcd")).assign(season=season, day=np.arange(200.0))


def test_columns_by_name_equal_values_beside(frame, tmp_path):
    X, context = frame[list("abcd")], frame[["season", "day"]]
    beside = quick(VAE).fit(X, condition=context)
    named = quick(VAE).fit(frame, condition=["season", "day"])
    expected = beside.anomaly_score(X, condition=context)
    np.testing.assert_array_equal(named.anomaly_score(frame), expected)
    np.testing.assert_array_equal(named.anomaly_score(X, condition=context), expected)
    np.testing.assert_array_equal(named.anomaly_score(iter([frame[:9], frame[9:]])), expected)
    assert list(named.feature_names_in_) == list("abcd")
    assert named.explain(frame).shape == (200, 4)
    frame.to_csv(tmp_path / "t.csv", index=False)
    X.to_csv(tmp_path / "x.csv", index=False)
    context.to_csv(tmp_path / "c.csv", index=False)
    by_file = quick(VAE).fit(tmp_path / "t.csv", condition=["season", "day"])
    np.testing.assert_allclose(by_file.anomaly_score(tmp_path / "t.csv"), expected, rtol=1e-5)
    two_files = quick(VAE).fit(tmp_path / "x.csv", condition=str(tmp_path / "c.csv"))
    found = two_files.anomaly_score(tmp_path / "x.csv", condition=tmp_path / "c.csv")
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_rows_that_are_streamed_keep_their_context(frame, tmp_path):
    frame.to_parquet(tmp_path / "t.parquet", row_group_size=32)
    params = {"stream": True, "max_steps": 300, "batch_size": 16}
    detector = quick(VAE, **params).fit(tmp_path / "t.parquet", condition="season")
    scores = detector.anomaly_score(frame)
    wrong = detector.anomaly_score(frame.assign(season=other(frame["season"])))
    assert (wrong > scores).mean() > 0.9


@pytest.mark.parametrize("of", [list, np.array, pd.Series, pd.Categorical])
def test_values_in_many_forms(frame, of):
    X, season = frame[list("abcd")].to_numpy(), frame["season"].tolist()
    expected = quick(VAE).fit(X, condition=season).anomaly_score(X, condition=season)
    detector = quick(VAE).fit(X, condition=of(season))
    np.testing.assert_array_equal(detector.anomaly_score(X, condition=of(season)), expected)


def test_a_file_for_images_names_them(images, tmp_path):
    (tmp_path / "good").mkdir()
    for i, image in enumerate(images[:40]):
        Image.fromarray(image).save(tmp_path / "good" / f"{i:02}.png")
    side = np.where(np.arange(40) % 2, "left", "right")
    table = pd.DataFrame({"sample": [f"{i:02}.png" for i in range(40)], "side": side})
    table.sample(frac=1, random_state=0).to_csv(tmp_path / "sides.csv", index=False)
    detector = quick(VAE).fit(tmp_path / "good", condition=tmp_path / "sides.csv")
    plain = quick(VAE).fit(images[:40], condition=side)
    np.testing.assert_allclose(
        detector.anomaly_score(tmp_path / "good", condition=tmp_path / "sides.csv"),
        plain.anomaly_score(images[:40], condition=side),
        rtol=1e-5,
    )
    table[1:].to_csv(tmp_path / "sides.csv", index=False)
    with pytest.raises(ValueError, match=r"sides\.csv: there is no row for the sample 00\.png"):
        quick(VAE).fit(tmp_path / "good", condition=tmp_path / "sides.csv")


def test_bad_contexts_are_refused_by_name(frame):
    X, season = frame[list("abcd")], frame["season"]
    with pytest.raises(ValueError, match="condition has 9 rows, but there are 200 samples"):
        quick(VAE).fit(X, condition=season[:9])
    with pytest.raises(ValueError, match="'month' is neither a column of a, b, c, d, season, day"):
        quick(VAE).fit(frame, condition="month")
    with pytest.raises(ValueError, match=r"condition: .*constant"):
        quick(VAE).fit(X, condition=np.ones(200))
    with pytest.raises(ValueError, match="leaves no column"):
        quick(VAE).fit(frame[["day"]], condition="day")
    with pytest.raises(ValueError, match=r"shape \(200, 1, 1\)"):
        quick(VAE).fit(X, condition=np.ones((200, 1, 1)))
    plain = quick(VAE).fit(X)
    with pytest.raises(ValueError, match="fitted without a condition"):
        plain.anomaly_score(X, condition=season)
    detector = quick(VAE).fit(frame, condition="season")
    with pytest.raises(ValueError, match=r"fitted with a condition \(season\)"):
        detector.anomaly_score(frame.drop(columns="season"))
    with pytest.raises(ValueError, match=r"condition: .*'season', row 3"):
        detector.anomaly_score(frame.assign(season=season.where(season.index != 3)))
    with pytest.raises(ValueError, match="chunk by chunk"):
        detector.anomaly_score(iter([frame]), condition=season)
    unseen = detector.anomaly_score(frame.assign(season="monsoon"))
    assert np.isfinite(unseen).all()


# ---------------------------------------------------------------------- names, values and files


def context_of(source):
    """Return the known context of all samples of a source, as a frame."""
    return source.condition(np.arange(source.count())).to_pandas()


def given_to(frame, condition, like=None):
    return inputs.with_condition(inputs.open_source(frame), condition, like)


def learnt(condition, n):
    """Return the codec of the context of a fit on bare or named values."""
    source = given_to(np.zeros((n, 2)), condition)
    return inputs.fit_codec(source.condition(np.arange(n)))


@pytest.mark.parametrize("of", [list, tuple, pd.Index])
def test_a_list_names_columns_unless_it_has_an_entry_for_each_sample(of):
    numbered = pd.DataFrame(np.random.default_rng(0).random((60, 4)))
    source = given_to(numbered, of([2]))
    assert (source.condition_columns, source.columns) == (["2"], ["0", "1", "3"])
    np.testing.assert_array_equal(context_of(source)["2"], numbered[2])
    labels = [0, 1] * 30
    source = given_to(numbered, of(labels))
    assert (source.condition_columns, len(source.columns)) == ([], 4)
    assert context_of(source)["c0"].tolist() == labels
    coloured = pd.DataFrame({"red": labels, "blue": labels, "size": np.arange(60.0)})
    words = ["red", "blue"] * 30
    assert context_of(given_to(coloured, of(words)))["c0"].tolist() == words
    assert given_to(coloured, of(["blue", "red"])).condition_columns == ["blue", "red"]


def test_one_sample_is_judged_by_the_columns_that_the_fit_named(frame):
    detector = quick(VAE).fit(frame, condition=["season"])
    expected = detector.anomaly_score(frame)[:1]
    for condition in (None, ["season"], "season", ("season",)):
        found = detector.anomaly_score(frame[:1], condition=condition)
        np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (["season", "season"], "names the column 'season' twice"),
        (["season", "zzz"], "'zzz' is not a column of a, b, c, d, season, day"),
        (("season", "zzz"), "'zzz' is not a column of a, b, c, d, season, day"),
        (["season", "c.csv"], r"the file 'c\.csv' cannot be mixed with columns"),
        ([0, 1] * 99, "condition has 198 rows, but there are 200 samples"),
        ([[1, 2], [3]] * 100, "condition has rows of different lengths"),
        ([[[1]]] * 200, r"condition has shape \(200, 1, 1\)"),
    ],
)
def test_lists_that_are_neither_names_nor_values_say_why(frame, condition, message):
    with pytest.raises(ValueError, match=message):
        given_to(frame, condition)


@pytest.mark.parametrize("row", [list, tuple])
def test_numbers_beside_text_stay_numbers(row):
    hours = np.random.default_rng(0).random(60)
    seasons = ["winter", "summer", "autumn"] * 20
    rows = [row(both) for both in zip(seasons, hours.tolist(), strict=True)]
    found = context_of(given_to(np.zeros((60, 2)), rows))
    assert found["c0"].tolist() == seasons
    np.testing.assert_array_equal(found["c1"], hours)
    assert [column.kind for column in learnt(rows, 60).columns] == ["categorical", "numeric"]


def test_categories_and_series_of_other_libraries_are_values():
    days = [1, 2, 3] * 20
    for values in (pl.Series(days), pl.Series("day", days), pa.chunked_array([days])):
        assert context_of(given_to(np.zeros((60, 2)), values))["c0"].tolist() == days
    words = ["red", "blue"] * 30
    for values in (pl.Series(words), pl.Series(words, dtype=pl.Categorical), pd.Index(words)):
        assert context_of(given_to(np.zeros((60, 2)), values))["c0"].tolist() == words
    for of in (pd.Categorical, pd.CategoricalIndex):
        assert learnt(of(days), 60).columns[0].kind == "categorical"


def test_columns_without_names_are_matched_by_position(tmp_path):
    words = np.array(["1", "2", "3"] * 20)
    bare = learnt(words, 60)
    frame = pd.DataFrame({"kind": words[:9]})
    for condition in (frame, words[:9], words[:9].tolist()):
        source = given_to(np.zeros((9, 2)), condition, like=bare)
        assert context_of(source)["c0"].tolist() == words[:9].tolist()
    frame.to_csv(tmp_path / "kind.csv", index=False)  # numbers by their look
    source = given_to(np.zeros((9, 2)), tmp_path / "kind.csv", like=bare)
    assert context_of(source)["c0"].tolist() == words[:9].tolist()
    named = learnt(pd.DataFrame({"kind": words}), 60)
    assert list(context_of(given_to(np.zeros((9, 2)), words[:9], like=named))) == ["kind"]
    both = learnt(pd.DataFrame({"c1": np.arange(60), "c0": words}), 60)
    found = context_of(
        given_to(np.zeros((9, 2)), frame.assign(c1=7).set_axis(["c0", "c1"], axis=1), both)
    )
    assert found["c1"].tolist() == [7] * 9  # by name where the names are known
    with pytest.raises(
        ValueError, match="condition has 2 columns, but the model was fitted with 1"
    ):
        given_to(np.zeros((9, 2)), frame.assign(more=1), like=bare)


def test_values_for_a_subset_are_those_of_its_own_samples(frame, tmp_path):
    X, season = frame[list("abcd")], frame["season"]
    keep = np.random.default_rng(0).random(200) < 0.5
    part = inputs.Subset(inputs.open_source(X), keep)
    season[keep].to_frame().to_csv(tmp_path / "own.csv", index=False)
    for condition in (season[keep], season, tmp_path / "own.csv"):
        source = inputs.with_condition(part, condition)
        rows = np.concatenate([rows for rows, _ in source.chunks(7)])
        found = source.condition(rows).to_pandas().iloc[:, 0]
        assert found.tolist() == season[keep].tolist()
    with pytest.raises(ValueError, match=f"150 rows, but there are {keep.sum()} samples"):
        inputs.with_condition(part, season[:150])
    detector = quick(VAE).fit(part, condition=season[keep].tolist())
    expected = quick(VAE).fit(X[keep], condition=season[keep].tolist())
    np.testing.assert_array_equal(
        detector.anomaly_score(X, condition=season), expected.anomaly_score(X, condition=season)
    )


def test_files_that_do_not_say_which_sample_is_which_are_refused(images, tmp_path):
    (tmp_path / "good").mkdir()
    for i, image in enumerate(images[:6]):
        Image.fromarray(image).save(tmp_path / "good" / f"{i}.png")
    folder = inputs.open_source(tmp_path / "good")
    table = pd.DataFrame({"sample": [f"{i}.png" for i in range(6)], "side": list("aabbcc")})
    pd.concat([table, table[2:3]]).to_csv(tmp_path / "twice.csv", index=False)
    with pytest.raises(ValueError, match=r"twice\.csv: there are two rows for the sample 2\.png"):
        inputs.with_condition(folder, tmp_path / "twice.csv")
    table[["sample"]].to_csv(tmp_path / "bare.csv", index=False)
    with pytest.raises(ValueError, match=r"bare\.csv: there is nothing beside .*'sample'"):
        inputs.with_condition(folder, tmp_path / "bare.csv")
    table.to_csv(tmp_path / "sides.csv", index=False)
    with pytest.raises(ValueError, match=r"sides\.csv: .*these samples have no names"):
        inputs.with_condition(inputs.open_source(images[:6]), tmp_path / "sides.csv")
    # Of a subset only its own images need a row.
    table[::-1][:3].to_csv(tmp_path / "own.csv", index=False)
    part = inputs.Subset(folder, np.arange(6) > 2)
    source = inputs.with_condition(part, tmp_path / "own.csv")
    assert source.condition(np.arange(3, 6))["side"].to_pylist() == list("bcc")


def test_a_fit_on_images_forgets_the_columns_of_an_earlier_table(frame, images, tmp_path):
    detector = quick(VAE).fit(frame[list("abcd")])
    assert detector.n_features_in_ == 4
    detector.fit(images)
    detector.save(tmp_path / "m")
    for fitted in (detector, oddgan.load(tmp_path / "m")):
        assert not hasattr(fitted, "n_features_in_")
        assert not hasattr(fitted, "feature_names_in_")


# ------------------------------------------------------------------------------- the mechanism


def test_a_conditioned_layer_equals_one_with_the_context_concatenated():
    for layer, x in (
        (nn.Linear(3, 5), torch.randn(4, 3)),
        (nn.Conv2d(3, 5, 1), torch.randn(4, 3, 6, 7)),
    ):
        body = nn.Sequential(layer)
        condition_layers(body, 2)
        initialise(body, "xavier", torch.Generator().manual_seed(0))
        c = torch.randn(4, 2)
        spread = c.view(4, 2, *[1] * (x.ndim - 2)).expand(4, 2, *x.shape[2:])
        weight = torch.cat([body[0].layer.weight.flatten(1), body[0].context], dim=1)
        joined = torch.cat([x, spread], dim=1).movedim(1, -1)
        with condition_on(c):
            found = body(x)
        expected = (joined @ weight.T + body[0].layer.bias).movedim(-1, 1)
        torch.testing.assert_close(found, expected)


def test_a_context_ends_with_its_block_and_can_be_narrowed():
    assert networks.current_condition() is None
    c = torch.arange(6.0).view(3, 2)
    with condition_on(c):
        with condition_on_rows(torch.tensor([2, 0])):
            assert networks.current_condition().tolist() == [[4, 5], [0, 1]]
        assert networks.current_condition() is c
    assert networks.current_condition() is None
    body = nn.Sequential(nn.Linear(1, 1))
    condition_layers(body, 2)
    with pytest.raises(RuntimeError, match="outside"):
        body(torch.ones(3, 1))
    with condition_on(c), pytest.raises(RuntimeError, match="3 samples for a batch of 1"):
        body(torch.ones(1, 1))


def test_a_condition_is_no_column_any_more(frame):
    source = inputs.with_condition(inputs.open_source(frame), "season")
    assert source.columns == ["a", "b", "c", "d", "day"]
    assert source.condition_columns == ["season"]
    rows, raw = next(source.chunks(3))
    assert raw.column_names == source.columns
    assert source.condition(rows)["season"].to_pylist() == frame["season"][:3].tolist()


# -------------------------------------------------------------------------- on the command line


QUICK = ["--set", "max_steps=300", "--set", "width=8", "--set", "latent_dim=4", "--quiet"]


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """Type a command; return its exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def typed(*words):
        monkeypatch.setattr(sys, "argv", ["oddgan", *map(str, words)])
        with pytest.raises(SystemExit) as done:
            cli.main()
        return done.value.code or 0, *capsys.readouterr()

    return typed


def test_the_command_line_takes_columns_and_finds_them_again(run):
    X, season = seasons(900, 0)
    frame = pd.DataFrame(X, columns=list("abcd")).assign(season=season, bad=0)
    frame[:600].drop(columns="bad").to_csv("train.csv", index=False)
    new = frame[600:].copy()
    new.loc[700:, "season"] = other(new.loc[700:, "season"])
    new.loc[700:, "bad"] = 1
    new.to_csv("new.csv", index=False)
    fitted = ["fit", "vae", "train.csv", "-o", "m.oddgan", "--condition"]
    code, _, err = run(*fitted, "season", *QUICK)
    assert code == 0, err
    code, out, err = run("evaluate", "m.oddgan", "new.csv", "--label", "bad", "--json")
    assert code == 0, err
    results = json.loads(out)["results"]
    assert results["VAE reconstruction_probability"][0]["auroc"] > 0.95
    code, out, err = run("score", "m.oddgan", "new.csv", "--label", "bad", "--json")
    assert code == 0, err
    flagged = np.array([sample["flagged"] for sample in json.loads(out)["samples"]])
    assert flagged[100:].mean() > 0.9
    new.drop(columns=["season", "bad"]).to_csv("x.csv", index=False)
    new[["season"]].to_csv("c.csv", index=False)
    code, beside, err = run("score", "m.oddgan", "x.csv", "--condition", "c.csv", "--json")
    assert code == 0, err
    assert json.loads(beside)["flagged"] == json.loads(out)["flagged"]
    code, _, err = run("score", "m.oddgan", "x.csv")
    assert code == 2
    assert "fitted with a condition (season)" in err
    assert "Traceback" not in err
    code, _, err = run(*fitted, "weekday", *QUICK)
    assert code == 2
    assert "'weekday' is neither a column" in err


def test_conditions_on_the_command_line_that_cannot_be(run):
    X, season = seasons(60, 0)
    pd.DataFrame(X, columns=list("abcd")).assign(s=season).to_csv("t.csv", index=False)
    pd.DataFrame({"s": season}).to_csv("ctx.csv", index=False)
    for second, message in (
        ("s", "names the column 's' twice"),
        ("zzz", "'zzz' is not a column of a, b, c, d, s"),
        ("ctx.csv", "the file 'ctx.csv' cannot be mixed with columns"),
    ):
        words = ["fit", "vae", "t.csv", "-o", "m", "--condition", "s", "--condition", second]
        code, _, err = run(*words, *QUICK)
        assert (code, len(err.strip().splitlines())) == (2, 1), err
        assert message in err


def test_the_next_command_that_fit_prints_can_be_typed(run):
    X, season = seasons(300, 0)
    frame = pd.DataFrame(X, columns=list("abcd"))
    frame.assign(bad=np.arange(300) % 10 == 0).to_csv("x y.csv", index=False)
    frame.assign(s=season).to_csv("t.csv", index=False)
    pd.DataFrame({"a": season}).to_csv("ctx 1.csv", index=False)
    for words in (
        ["x y.csv", "--label", "bad", "--condition", "ctx 1.csv"],
        ["t.csv", "--condition", "s"],
    ):
        code, out, err = run("fit", "vae", *words, "-o", "m", *QUICK)
        assert code == 0, err
        command = shlex.split(out.split("Next: oddgan ")[1])
        assert ("--condition" in command) == ("ctx 1.csv" in words)
        code, _, err = run(*command)
        assert code == 0, err


@pytest.mark.parametrize("suffix", ["csv", "npz"])
def test_the_baselines_are_given_the_context_too(run, suffix):
    """Odd for its season alone: at chance without it."""
    X, season = seasons(600, 0)
    bad = (np.arange(600) % 4 == 0).astype(int)
    pd.DataFrame({"a": np.where(bad, other(season), season)}).to_csv("ctx.csv", index=False)
    pd.DataFrame(X, columns=list("abcd")).assign(bad=bad).to_csv("t.csv", index=False)
    np.savez("t.npz", X=X, bad=bad)
    data, known = f"t.{suffix}", ["--condition", "ctx.csv"]  # "a" is a column of both files
    code, _, err = run("fit", "vae", data, "--label", "bad", "-o", "m", *known, *QUICK)
    assert code == 0, err
    code, out, err = run("evaluate", "m", data, *known, "--json")
    assert code == 0, err
    assert "without the condition" not in err
    assert json.loads(out)["results"]["pca_reconstruction"][0]["auroc"] > 0.9
    how = cli.data.DataOptions(label="bad", condition=["ctx.csv"])
    found = cli.data.open_data(data, how).with_samples(oddgan.load("m").codec_).X
    assert found.shape == (600, 5)
    assert "condition: a" in found.columns


def test_the_baselines_of_a_data_set_by_name_are_given_the_context(run, monkeypatch):
    X, season = seasons(60, 0)
    frame = pd.DataFrame(X, columns=list("abcd"), index=np.arange(60) + 5).assign(s=season)
    named = datasets.Dataset("digits", "table", frame, np.zeros(60), None, "made up")
    monkeypatch.setattr(datasets, "load", lambda _: named)
    pd.DataFrame({"t": season}).to_csv("ctx.csv", index=False)
    opened = cli.data.open_data("digits", cli.data.DataOptions(condition=["ctx.csv"]))
    found = opened.with_samples(None).X
    assert list(found) == [*"abcds", "condition: t"]
    assert found["condition: t"].tolist() == season.tolist()
    opened = cli.data.open_data("digits", cli.data.DataOptions(condition=["s"]))
    assert list(opened.with_samples(None).X) == [*"abcds"]


def test_it_is_said_that_baselines_see_no_context_of_images(run):
    label = np.asarray(datasets.load("digits").y).astype(str)
    pd.DataFrame({"label": label, "hour": np.arange(len(label)) % 7}).to_csv("c.csv", index=False)
    words = ["digits", "--anomaly", "0", "--condition", "c.csv"]
    code, _, err = run("fit", "vae", *words, "-o", "m", *QUICK)
    assert code == 0, err
    code, out, err = run("evaluate", "m", "digits", "--condition", "c.csv", "--json")
    assert code == 0, err
    assert "The baselines score the images without the condition." in err
    assert "pca_reconstruction" in json.loads(out)["results"]
