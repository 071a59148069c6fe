"""Samples that belong together are held out together, so that the promise is for new groups."""

import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
from PIL import Image
from sklearn.ensemble import IsolationForest

import oddgan
from oddgan import VAE, Autoencoder, Combination, OddGAN, PCAReconstruction, cli, inputs
from oddgan.bench.cells import run_cell
from oddgan.cli.data import Data, DataOptions, open_data
from oddgan.cli.evaluate import grouped_as_fitted
from oddgan.combination import splitting
from oddgan.datasets import Dataset
from oddgan.estimator.holdout import hold_outs, row_mask
from support.data import quick

NEIGHBOUR = {"score_name": "input_knn", "latent_dim": 1, "health": False, "random_state": 0}


def parts(n_groups, each, seed, spread=0.1):
    """Return rows of parts, each part near a place of its own, and which part each row is of."""
    rng = np.random.default_rng(seed)
    of_part = np.repeat(np.arange(n_groups), each)
    places = rng.normal(size=(n_groups, 6))
    return places[of_part] + spread * rng.normal(size=(len(of_part), 6)), of_part


def held_out_parts(detector, X, of_part):
    """Return the parts whose rows set the threshold: the only ones that are scored so."""
    found = np.isin(np.float32(detector.anomaly_score(X)), np.float32(detector.calibration_scores_))
    return set(of_part[found])


# ------------------------------------------------------------------------------- what it is for


def test_new_parts_are_flagged_as_rarely_as_promised_only_if_parts_are_held_out_together():
    X, of_part = parts(150, 8, seed=0)
    new, _ = parts(150, 8, seed=1)
    flagged = {}
    for name, groups in (("rows", None), ("parts", of_part)):
        detector = PCAReconstruction(**NEIGHBOUR, calibration_fraction=0.3)
        detector.fit(X, groups=groups)
        flagged[name] = (detector.predict(new) == -1).mean()
    # A held-out row has other rows of its part near; a row of a new part has none.
    assert flagged["rows"] > 0.9
    assert flagged["parts"] < 0.1


# ------------------------------------------------------------------------------ who is held out


def test_one_sample_of_each_held_out_group_sets_the_threshold():
    X, of_part = parts(60, 5, seed=0)
    detector = quick(Autoencoder, calibration_fraction=0.3).fit(X, groups=of_part)
    scores = np.float32(detector.anomaly_score(X))
    found = of_part[np.isin(scores, np.float32(detector.calibration_scores_))]
    assert len(found) == len(set(found)) == 18
    places = np.flatnonzero(np.isin(scores, np.float32(detector.calibration_scores_))) % 5
    assert len(set(places)) > 2  # drawn at random, and not the first of each


@pytest.mark.parametrize(
    "params", [{}, {"n_members": 3}, {"combine": "standardised"}, {"n_folds": 4, "n_members": 2}]
)
def test_no_group_is_on_both_sides(params):
    X, of_part = parts(40, 5, seed=0)
    shuffled = np.random.default_rng(1).permutation(of_part)
    source = inputs.with_groups(inputs.open_source(X), shuffled)
    method = quick(PCAReconstruction, calibration_fraction=0.2, **params)
    folds = hold_outs(method, source, seed=3)
    for rows in folds:
        held_out, members = set(shuffled[row_mask(rows.held_out)]), len(rows.members)
        assert len(held_out) == (8 if rows is folds[0] else pytest.approx(32 / 3, abs=0.7))
        assert not set(shuffled[row_mask(rows.train)]) & held_out
        for train, for_scale in rows.members:
            seen = set(shuffled[row_mask(train)])
            if members == 1 and "combine" not in params:
                assert for_scale is None
                assert len(seen) == 40 - len(held_out)
            else:
                apart = set(shuffled[row_mask(for_scale)])
                assert not apart & (seen | held_out)
                assert len(apart) + len(seen) + len(held_out) == 40
    ever = [group for rows in folds for group in set(shuffled[row_mask(rows.held_out)])]
    assert len(ever) == len(set(ever)) == (40 if len(folds) > 1 else 8)


def test_groups_of_a_subset_are_those_of_its_own_rows():
    X, of_part = parts(10, 4, seed=0)
    keep = of_part % 2 == 0
    for groups in (of_part, of_part[keep]):
        source = inputs.with_groups(inputs.Subset(inputs.open_source(X), keep), groups)
        method = quick(PCAReconstruction, calibration_fraction=0.4)
        train = hold_outs(method, source, seed=0)[0].train
        assert train.groups is not None
        assert len(set(train.groups)) == 3
        assert set(of_part[train.keep]) < {0, 2, 4, 6, 8}
        assert np.isin(of_part[train.keep], of_part[keep]).all()
        assert train.count() == 12


def test_groups_are_the_same_in_every_form(tmp_path):
    X, of_part = parts(30, 4, seed=0)
    names = np.array([f"part {i}" for i in of_part])
    frame = pd.DataFrame(X, columns=list("abcdef")).assign(part=names)
    two = pd.DataFrame({"line": of_part // 2, "place": of_part % 2})
    pd.DataFrame({"part": names}).to_csv(tmp_path / "parts.csv", index=False)
    frame.to_parquet(tmp_path / "all.parquet")
    bare = frame.drop(columns="part")
    expected = quick(Autoencoder).fit(bare, groups=of_part)
    for data, groups in (
        (bare, names.tolist()),
        (bare, pd.Series(names)),
        (bare, two),
        (bare, tmp_path / "parts.csv"),
        (frame, "part"),
        (pl.from_pandas(frame), ["part"]),
        (tmp_path / "all.parquet", "part"),
    ):
        detector = quick(Autoencoder).fit(data, groups=groups)
        np.testing.assert_array_equal(detector.calibration_scores_, expected.calibration_scores_)
        np.testing.assert_array_equal(detector.anomaly_score(bare), expected.anomaly_score(bare))


def test_missing_values_are_one_group():
    source = inputs.with_groups(
        inputs.open_source(np.zeros((4, 2))), pd.Series(["a", None, None, "b"])
    )
    np.testing.assert_array_equal(source.groups, [0, 1, 1, 2])


def test_members_of_a_population_hold_groups_out():
    X, of_part = parts(60, 5, seed=0)
    population = quick(VAE, n_members=2, target_fpr=0.2).fit(X, groups=of_part)
    assert len(population.calibration_scores_) == 6  # one row of each of 6 of 60 groups
    held_out = held_out_parts(population, X, of_part)
    assert len(held_out) == 6
    frame = pd.DataFrame(X, columns=list("abcdef")).assign(part=of_part)
    member = quick(VAE, n_members=2).fit(frame, groups="part").members_[1]
    np.testing.assert_array_equal(
        member.anomaly_score(frame), member.anomaly_score(frame.iloc[:, :6])
    )


def test_a_context_and_groups_go_together():
    X, of_part = parts(60, 5, seed=0)
    season = np.where(of_part % 2, "summer", "winter")
    frame = pd.DataFrame(X, columns=list("abcdef")).assign(season=season, part=of_part)
    detector = quick(VAE).fit(frame, condition="season", groups="part")
    assert list(detector.feature_names_in_) == list("abcdef")
    np.testing.assert_array_equal(
        detector.anomaly_score(frame), detector.anomaly_score(frame.drop(columns="part"))
    )


# ------------------------------------------------------------------------------------ afterwards


def test_a_column_of_groups_is_no_part_of_the_samples(tmp_path):
    X, of_part = parts(30, 4, seed=0)
    frame = pd.DataFrame(X, columns=list("abcdef")).assign(part=of_part)
    for detector in (quick(OddGAN), PCAReconstruction(**NEIGHBOUR)):
        detector.fit(frame, groups="part").save(tmp_path / "model.odd")
        again = oddgan.load(tmp_path / "model.odd")
        for one in (detector, again):
            assert list(one.feature_names_in_) == list("abcdef")
            scores = one.anomaly_score(frame.drop(columns="part"))
            np.testing.assert_array_equal(one.anomaly_score(frame), scores)


def test_a_combination_holds_groups_out():
    X, of_part = parts(40, 5, seed=0)
    frame = pd.DataFrame(X, columns=list("abcdef")).assign(part=of_part)
    both = [PCAReconstruction(latent_dim=1), IsolationForest(n_estimators=10)]
    model = Combination(both, random_state=0, calibration_fraction=0.2).fit(frame, groups="part")
    bare = frame.drop(columns="part")
    assert len(model.calibration_scores_) == 4  # as many are held out for the members' scales
    np.testing.assert_array_equal(model.anomaly_score(frame), model.anomaly_score(bare))


def test_a_combination_has_no_group_in_two_of_its_three_parts():
    X, of_part = parts(40, 5, seed=0)
    shuffled = np.random.default_rng(1).permutation(of_part)
    source = inputs.with_groups(inputs.open_source(X), shuffled)
    found = [
        set(shuffled[part.keep])
        for part in splitting.split_rows(source, 0.2, np.random.default_rng(0))
    ]
    assert [len(groups) for groups in found] == [32, 4, 4]
    assert len(set.union(*found)) == 40


# ------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (np.arange(120) // 60, "groups: there are samples of 2 group.s., but at least 3"),
        (np.arange(7), "groups has 7 rows, but there are 120 samples"),
        ([], "groups is empty"),
        ("part", "groups='part' is neither a column nor a file"),
        (["part", "line"], "groups has 2 rows, but there are 120 samples"),
        (np.zeros((120, 2, 2)), r"groups has shape \(120, 2, 2\); expected \(n,\) or \(n, k\)"),
    ],
)
def test_wrong_groups_are_refused(groups, message):
    with pytest.raises(ValueError, match=message):
        PCAReconstruction().fit(np.random.default_rng(0).normal(size=(120, 3)), groups=groups)


# ------------------------------------------------------------------------------ the command line


def test_groups_on_the_command_line(tmp_path, capsys, monkeypatch):
    X, of_part = parts(40, 5, seed=0)
    frame = pd.DataFrame(X, columns=list("abcdef")).assign(part=of_part)
    frame.to_csv(tmp_path / "parts.csv", index=False)
    model = tmp_path / "model.odd"
    for command in (
        ["fit", "pcareconstruction", tmp_path / "parts.csv", "--groups", "part", "-o", model, "-q"],
        ["score", model, tmp_path / "parts.csv", "-o", tmp_path / "scores.csv"],
    ):
        monkeypatch.setattr(sys, "argv", ["oddgan", *map(str, command)])
        with pytest.raises(SystemExit) as done:
            cli.main()
        assert not done.value.code, capsys.readouterr().err
    found = oddgan.load(model)
    direct = PCAReconstruction(random_state=0).fit(frame, groups="part")
    np.testing.assert_array_equal(found.calibration_scores_, direct.calibration_scores_)
    assert found.provenance_["how"]["groups"] == ["part"]


def test_controls_of_an_evaluation_hold_out_the_groups_of_the_fit(tmp_path, capsys, monkeypatch):
    X, of_part = parts(30, 5, seed=0)
    frame = pd.DataFrame(X, columns=list("abcdef")).assign(part=of_part, odd=of_part % 10 == 0)
    table, model = str(tmp_path / "parts.csv"), str(tmp_path / "model.odd")
    frame.to_csv(table, index=False)
    command = ["fit", "auto", table, "--label", "odd", "--anomaly", "True", "--groups", "part"]
    monkeypatch.setattr(sys, "argv", ["oddgan", *command, "-o", model, "-q", "-s", "max_steps=2"])
    with pytest.raises(SystemExit) as done:
        cli.main()
    assert not done.value.code, capsys.readouterr().err
    fitted = oddgan.load(model)
    how = DataOptions().filled_from(fitted.provenance_)
    opened = open_data(table, how, fitted.source)
    assert opened.source.groups is None
    training = grouped_as_fitted(fitted, opened, table, how).subset(np.arange(5, 40))
    np.testing.assert_array_equal(training.groups, of_part[5:40])
    assert training.columns == [*"abcdef"]


def test_a_file_names_the_group_of_each_image(tmp_path):
    rng = np.random.default_rng(0)
    names = [f"{i}.png" for i in range(24)]
    (tmp_path / "images").mkdir()
    for name in names:
        Image.fromarray(rng.integers(0, 256, (8, 8)).astype(np.uint8)).save(
            tmp_path / "images" / name
        )
    mixed = rng.permutation(24)
    table = pd.DataFrame({"sample": np.array(names)[mixed], "part": mixed // 4})
    table.to_csv(tmp_path / "parts.csv", index=False)
    source = inputs.open_source(tmp_path / "images")
    found = inputs.with_groups(source, tmp_path / "parts.csv").groups
    expected = np.array([int(name.split(".")[0]) // 4 for name in source.names])
    assert len({*zip(found, expected, strict=True)}) == 6


# --------------------------------------------------------------------------------- data sets


def test_parts_of_a_data_set_are_held_out_together_without_being_told():
    X, of_part = parts(30, 4, seed=0)
    dataset = Dataset("parts", "table", X, np.zeros(120, dtype=int), None, "", groups=of_part)
    opened = Data(inputs.open_source(X), dataset, "parts")
    np.testing.assert_array_equal(opened.grouped(DataOptions()).source.groups, of_part)
    assert Data(inputs.open_source(X), None, "x").grouped(DataOptions()).source.groups is None


def test_the_bench_holds_out_parts(monkeypatch):
    X, of_part = parts(40, 5, seed=0)
    y = (of_part >= 30).astype(int)
    dataset = Dataset("parts", "table", X, y, None, "", groups=of_part)
    monkeypatch.setattr("oddgan.bench.cells.open_data", lambda *a: dataset)
    fits = []
    fit = PCAReconstruction.fit

    def seen(self, X, y=None, **how):
        fits.append((len(X), how["groups"]))
        return fit(self, X, y, **how)

    monkeypatch.setattr(PCAReconstruction, "fit", seen)
    run_cell(
        {
            "task": {"data": "parts", "load": {}, "protocol": {"name": "labelled"}, "limits": {}},
            "method": {
                "kind": "detector",
                "name": "pcareconstruction",
                "title": "PCA",
                "params": {},
                "scores": ["l2"],
            },
            "seed": 0,
            "faults": [],
        }
    )
    assert [len(groups) for _, groups in fits] == [n for n, _ in fits] == [105]
