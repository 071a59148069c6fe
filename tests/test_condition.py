"""Known context: a sample can be odd for its context though common overall."""

import json
import sys

import checks
import numpy as np
import pandas as pd
import pytest
import torch
from conftest import DATA, quick
from sklearn.metrics import roc_auc_score
from torch import nn

import oddgan
from oddgan import EGBAD, VAE, all_detectors, cli, inputs, networks
from oddgan.networks import condition_layers, given, given_rows, initialise

CONDITIONAL = {name: cls for name, cls in all_detectors().items() if cls.conditional}


@pytest.fixture(params=CONDITIONAL.values(), ids=lambda cls: cls.__name__)
def conditional_class(request):
    """Every detector that takes a condition."""
    return request.param


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


@pytest.mark.parametrize("kind", ["table", "image"])
def test_every_answer_is_given_for_a_context(conditional_class, kind, table, images, tmp_path):
    X = {"table": table, "image": images}[kind]
    rng = np.random.default_rng(0)
    context = pd.DataFrame(
        {"place": rng.choice(["a", "b", "c"], len(X)), "hour": rng.random(len(X))}
    )
    detector = quick(conditional_class).fit(X, condition=context)
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


@pytest.mark.parametrize("kind", ["table", "image"])
def test_every_map_of_the_context_has_a_gradient(conditional_class, kind):
    context = np.random.default_rng(0).random((len(DATA[kind]()), 2))
    checks.check_every_loss_trains_its_networks_and_nothing_else(conditional_class, kind, context)


def test_detectors_without_a_conditional_form_say_so(table):
    for cls in {*all_detectors().values()} - {*CONDITIONAL.values()}:
        with pytest.raises(ValueError, match=f"{cls.__name__} takes no condition"):
            quick(cls).fit(table, condition=table[:, 0])


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
    from PIL import Image

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
        with given(c):
            found = body(x)
        expected = (joined @ weight.T + body[0].layer.bias).movedim(-1, 1)
        torch.testing.assert_close(found, expected)


def test_a_context_ends_with_its_block_and_can_be_narrowed():
    assert networks.current_condition() is None
    c = torch.arange(6.0).view(3, 2)
    with given(c):
        with given_rows(torch.tensor([2, 0])):
            assert networks.current_condition().tolist() == [[4, 5], [0, 1]]
        assert networks.current_condition() is c
    assert networks.current_condition() is None
    body = nn.Sequential(nn.Linear(1, 1))
    condition_layers(body, 2)
    with pytest.raises(RuntimeError, match="outside"):
        body(torch.ones(3, 1))
    with given(c), pytest.raises(RuntimeError, match="3 samples for a batch of 1"):
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
