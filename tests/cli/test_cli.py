"""The command line, as a user types it."""

import importlib
import importlib.metadata
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import oddgan
from oddgan import cli, datasets
from oddgan.bench import selection

QUICK = ["--set", "max_steps=20", "--set", "width=8", "--set", "latent_dim=4", "--quiet"]


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """Run a command; return its exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def run_command(*words):
        monkeypatch.setattr(sys, "argv", ["oddgan", *map(str, words)])
        with pytest.raises(SystemExit) as exit_info:
            cli.main()
        out, err = capsys.readouterr()
        return exit_info.value.code or 0, out, err

    return run_command


@pytest.fixture
def payments(tmp_path):
    """A CSV with text, numbers, booleans, gaps, and the column `fraud`."""
    rng = np.random.default_rng(0)
    n = 300
    frame = pd.DataFrame(
        {
            "city": rng.choice(["Oslo", "Rome"], n),
            "amount": rng.lognormal(3, 1, n),
            "hour": np.where(rng.random(n) < 0.1, np.nan, rng.integers(0, 24, n)),
            "member": rng.random(n) < 0.5,
            "fraud": (np.arange(n) % 10 == 0).astype(int),
        }
    )
    frame.loc[frame["fraud"] == 1, "amount"] *= 1000
    frame.to_csv(tmp_path / "payments.csv", index=False)
    frame.to_parquet(tmp_path / "payments.parquet")
    return frame


@pytest.fixture
def tiles(tmp_path, images):
    """A folder of images in two subfolders."""
    for i, image in enumerate(images[:60]):
        name = f"good/{i}.png" if i < 50 else f"bad/{i}.png"
        (tmp_path / "tiles" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image if i < 50 else 255 - image).save(tmp_path / "tiles" / name)
    return tmp_path / "tiles"


def test_a_labelled_csv_from_fit_to_evaluation(run, payments, tmp_path):
    code, out, _ = run("fit", "vae", "payments.csv", "--label", "fraud", "--out", "m", *QUICK)
    assert code == 0
    assert "VAE learned from 189 samples" in out  # 70 % of the 270 normal rows
    code, out, _ = run("evaluate", "m", "payments.csv", "--json")
    result = json.loads(out)
    assert result["results"]["VAE reconstruction_probability"][0]["n"] == 111
    assert result["results"]["VAE reconstruction_probability"][0]["auroc"] > 0.9
    assert set(result["results"]) >= {"isolation_forest", "pca_reconstruction"}
    of_model = result["results"]["VAE reconstruction_probability"][0]
    of_baseline = result["results"]["isolation_forest"][0]
    assert set(of_model["intervals"]) == {"auroc", "auprc", "f1", "f1_at_rate"}
    assert set(of_baseline["intervals"]) == {"auroc", "auprc", "f1_at_rate"}
    for metrics in (of_model, of_baseline):
        for name, (low, high) in metrics["intervals"].items():
            assert low <= metrics[name] <= high
    code, out, _ = run("evaluate", "m", "payments.csv", "--no-baselines", "--markdown", "table.md")
    low, high = (f"{end:.4f}".removeprefix("0") for end in of_model["intervals"]["auroc"])
    assert f"{low} to {high}" in out
    assert f"{low} to {high}" in (tmp_path / "table.md").read_text(encoding="utf-8")


def test_no_row_that_trained_is_evaluated(run, payments):
    """Rows of the test part are scored by a model that never saw them."""
    run("fit", "vae", "payments.csv", "--label", "fraud", "--out", "m", *QUICK)
    origin = oddgan.load("m").provenance_
    options = cli.data.DataOptions(label="fraud")
    data = cli.data.open_data("payments.csv", options)
    train, _ = cli.data.training_rows(data, options)
    test, split = cli.data.test_rows(data, options, origin)
    trained = np.concatenate([rows for rows, _ in train.chunks(1000)])
    tested = np.concatenate([rows for rows, _ in test.chunks(1000)])
    assert not np.intersect1d(trained, tested).size
    assert payments["fraud"].to_numpy()[trained].sum() == 0
    np.testing.assert_array_equal(payments["fraud"].to_numpy()[tested], split.y_test)


def test_scores_explanations_reconstructions_and_latents_of_a_table(run, payments):
    run("fit", "egbad", "payments.csv", "--label", "fraud", "--out", "m", *QUICK)
    for suffix in ("csv", "parquet"):
        code, _, err = run(
            "score", "m", "payments.parquet", "--label", "fraud", "--out", f"s.{suffix}",
            "--explain", f"e.{suffix}", "--reconstruct", f"r.{suffix}", "--embed", f"z.{suffix}",
        )  # fmt: skip
        assert code == 0
        assert "of 300 samples flagged" in err
        read = pd.read_csv if suffix == "csv" else pd.read_parquet
        model, features = oddgan.load("m"), payments.drop(columns="fraud")
        scores = read(f"s.{suffix}")
        np.testing.assert_allclose(scores["anomaly_score"], model.anomaly_score(features))
        np.testing.assert_allclose(scores["p_value"], model.p_value(features))
        np.testing.assert_array_equal(scores["flagged"], model.predict(features) == -1)
        explained = read(f"e.{suffix}")
        explanation = model.explain(features)
        assert list(explained.columns[::2]) == list(features.columns)
        assert list(explained.columns[1::2]) == [f"{c}:expected" for c in features.columns]
        np.testing.assert_allclose(explained.iloc[:, ::2], explanation, rtol=1e-5)
        np.testing.assert_allclose(explained["amount:expected"], explanation.expected["amount"])
        expected = read(f"r.{suffix}")
        assert list(expected.columns) == list(features.columns)
        np.testing.assert_allclose(expected["amount"], model.reconstruct(features)["amount"])
        np.testing.assert_allclose(read(f"z.{suffix}"), model.embed(features), rtol=1e-5)


@pytest.mark.filterwarnings("always:unhealthy fit")
def test_inspect_shows_a_model_file_in_words_and_in_json(run, payments):
    payments.assign(amount=1000 * payments["amount"]).to_csv("raw.csv", index=False)
    words = ["--label", "fraud", "--out", "m", *QUICK, "--set", "scaling=none"]
    code, _, err = run("fit", "autoencoder", "raw.csv", *words)
    assert code == 0
    code, out, _ = run("inspect", "m", "--json")
    contents = json.loads(out)
    model = oddgan.load("m")
    assert code == 0
    assert contents["parameters"]["scaling"] == "none"
    assert contents["input"]["columns"] == ["city", "amount", "hour", "member"]
    assert (contents["training_rows"], contents["held_out_rows"]) == (170, 189)
    assert contents["cross_fitted"]
    assert contents["smallest_p_value"] == 1 / 190
    assert contents["training"]["steps"] == 20
    assert [check["name"] for check in contents["health"]] == [c.name for c in model.health_checks_]
    unhealthy = {check["name"]: check for check in contents["health"] if check["found"]}
    assert "unhealthy fit: a column that decides everything: column 'amount'" in err
    assert unhealthy["a column that decides everything"]["value"] > 0.9
    code, out, _ = run("inspect", "m")
    assert code == 0
    assert re.search(r"rows +170 trained; the threshold is set by all 189, each scored", out)
    assert re.search(r"severe: a column that decides everything: .*'amount' has", out)


def test_the_disagreement_of_members_is_a_column(run, payments):
    fit = ["fit", "vae", "payments.csv", "--label", "fraud", *QUICK]
    assert run(*fit, "--set", "n_members=2", "--out", "two")[0] == 0
    rows = ["payments.csv", "--label", "fraud", "--out", "s.csv"]
    assert run("score", "two", *rows, "--std", "--fdr", "0.2")[0] == 0
    scores = pd.read_csv("s.csv")
    expected = oddgan.load("two").anomaly_score(payments.drop(columns="fraud"), return_std=True)
    np.testing.assert_allclose(scores[["anomaly_score", "std"]].T, expected, rtol=1e-6)
    assert run(*fit, "--out", "one")[0] == 0
    code, _, err = run("score", "one", *rows, "--std")
    assert code == 2
    assert "--std: this VAE has no members" in err


def test_a_cross_fitting_is_reported(run, payments):
    payments[:80].to_csv("few.csv", index=False)
    words = ["fit", "pcareconstruction", "few.csv", "--label", "fraud", "--out", "m", "--quiet"]
    _, out, _ = run(*words)
    assert "from 50 samples" in out
    assert "each was scored by a fit that held it out (cross-fitting) and set the threshold" in out
    _, out, _ = run("inspect", "m")
    assert re.search(r"rows +45 trained; the threshold is set by all 50, each scored by a fit", out)
    _, out, err = run(*words, "--set", "n_folds=1")
    assert "nothing will be flagged" in err
    assert "set the threshold to infinity" in out
    _, out, _ = run("inspect", "m")
    assert re.search(r"threshold +none: too few held-out rows to flag 0.05 of normal samples", out)
    _, out, _ = run("score", "m", "few.csv", "--label", "fraud", "--json")
    assert json.loads(out)["threshold"] is None


def test_scores_go_to_standard_output_as_csv_or_json(run, payments):
    run("fit", "vae", "payments.csv", "--label", "fraud", "--out", "m", *QUICK)
    code, out, _ = run("score", "m", "payments.csv", "--label", "fraud")
    assert code == 0
    assert out.splitlines()[0] == "sample,anomaly_score,p_value,flagged"
    assert len(out.splitlines()) == 301
    code, out, _ = run("score", "m", "payments.csv", "--label", "fraud", "--json")
    result = json.loads(out)
    assert len(result["samples"]) == result["n"] == 300


def test_a_folder_of_images(run, tiles):
    code, out, _ = run("fit", "egbad", tiles, "--normal", "good", "--out", "m", *QUICK)
    assert code == 0
    assert "learned from 40 samples" in out
    code, out, _ = run("evaluate", "m", tiles, "--json")
    result = json.loads(out)["results"]["EGBAD sigma"][0]
    assert (result["n"], result["n_anomalies"]) == (20, 10)
    code, _, err = run("score", "m", tiles / "bad", "--out", "s.csv", "--explain", "map.npy")
    assert code == 0
    scores = pd.read_csv("s.csv")
    assert scores["sample"].tolist() == [f"{i}.png" for i in range(50, 60)]
    assert np.load("map.npy").shape == (10, 8, 10)
    code, _, err = run("score", "m", tiles, "--explain", "map.csv")
    assert code == 2
    assert "map.csv: the name must end in .npy or .npz" in err


def test_a_corrupt_image_is_named_or_left_out(run, tiles):
    run("fit", "vae", tiles / "good", "--out", "m", *QUICK)
    (tiles / "bad" / "55.png").write_bytes(b"no image")
    code, _, err = run("score", "m", tiles / "bad", "--out", "s.csv")
    assert code == 2
    assert "55.png" in err
    code, _, err = run("score", "m", tiles / "bad", "--skip-bad", "--out", "s.csv")
    assert code == 0
    assert "Left out 55.png" in err
    assert len(pd.read_csv("s.csv")) == 9
    code, out, _ = run("score", "m", tiles / "bad", "--skip-bad", "--out", "s.csv", "--json")
    assert json.loads(out)["skipped"][0][0] == "55.png"


def test_skipped_images_do_not_count(run, tiles):
    for i in range(12):
        (tiles / "good" / f"{i}.png").write_bytes(b"no image")
    words = ["fit", "pcareconstruction", tiles / "good", "--skip-bad", "--out", "m", "--quiet"]
    for members in ([], ["--set", "n_members=2"]):
        assert run(*words, *members)[0] == 0
        contents = json.loads(run("inspect", "m", "--json")[1])
        assert contents["cross_fitted"]
        assert contents["held_out_rows"] == 38
        assert 33 <= contents["training_rows"] < 38


def test_a_broken_file_among_the_test_images(run, tiles):
    """It stops no fit, is left out of the evaluation, and labels stay with their images."""
    (tiles / "bad" / "00.png").write_bytes(b"no image")  # sorts before all others
    code, out, err = run("fit", "vae", tiles, "--normal", "good", "--out", "m", *QUICK)
    assert code == 0, err
    code, out, _ = run("evaluate", "m", tiles, "--skip-bad", "--no-baselines", "--json")
    result = json.loads(out)
    assert result["results"]["VAE reconstruction_probability"][0]["auroc"] == 1.0
    assert result["results"]["VAE reconstruction_probability"][0]["n"] == 20
    assert result["skipped"][0][0] == "bad/00.png"


def test_huge_numbers_and_wrong_devices(run, payments, tmp_path):
    payments.loc[0, "amount"] = 1e300  # a fraud: it is tested, and the oddest
    payments.to_csv(tmp_path / "huge.csv", index=False)
    code, _, err = run("fit", "vae", "huge.csv", "--label", "fraud", "--out", "m", *QUICK)
    assert code == 0, err
    code, _, err = run("evaluate", "m", "huge.csv")
    assert code == 0, err
    code, _, err = run("score", "m", "huge.csv", "--label", "fraud", "--device", "tpu")
    assert (code, "auto, cpu or cuda, not 'tpu'" in err) == (2, True)


def test_every_normal_row_may_train(run, payments):
    code, out, _ = run(
        "fit", "vae", "payments.csv", "--label", "fraud", "--train-fraction", "1", "--out", "m",
        *QUICK,
    )  # fmt: skip
    assert "learned from 270 samples" in out
    code, _, err = run("evaluate", "m", "payments.csv")
    assert (code, "trained on all normal samples" in err) == (2, True)


def test_inputs_are_not_overwritten(run, payments):
    run("fit", "vae", "payments.csv", "--label", "fraud", "--out", "m.csv", *QUICK)
    for words in (
        ["fit", "vae", "payments.csv", "--label", "fraud", "--out", "payments.csv"],
        ["score", "m.csv", "payments.csv", "--label", "fraud", "--out", "payments.csv"],
        ["score", "m.csv", "payments.csv", "--label", "fraud", "--out", "m.csv"],
        ["score", "m.csv", "payments.csv", "--out", "s.csv", "--explain", "s.csv"],
    ):
        code, _, err = run(*words)
        assert (code, "would be overwritten" in err) == (2, True)


def test_evaluate_does_not_mix_splits(run):
    for digit in (0, 8):
        run("fit", "vae", "digits", "--anomaly", digit, "--out", f"m{digit}", *QUICK)
    code, _, err = run("evaluate", "m0", "m8", "digits")
    assert (code, "m8 was fitted on a different split than m0" in err) == (2, True)
    code, _, err = run("evaluate", "m0", "digits", "--anomaly", "3")
    assert (code, "--anomaly 0, not 3" in err) == (2, True)


@pytest.mark.parametrize("anomaly", ["true", "True", None])
def test_a_label_of_true_and_false(run, payments, tmp_path, anomaly):
    payments.assign(fraud=payments["fraud"] == 1).to_csv(tmp_path / "b.csv", index=False)
    option = ["--anomaly", anomaly] if anomaly else []
    code, out, err = run("fit", "vae", "b.csv", "--label", "fraud", *option, "--out", "m", *QUICK)
    assert code == 0, err
    assert "learned from 189 samples" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fit", "nothing", "digits", "--out", "m"], "no detector is called 'nothing'; there are"),
        (["fit", "vae", "nowhere", "--out", "m"], "nowhere is neither a file, nor a folder"),
        (["fit", "vae", "digits", "--out", "m"], "digits does not say what is anomalous"),
        (["fit", "vae", "digits", "--anomaly", "12", "--out", "m"], "no class '12'; its classes"),
        (["fit", "vae", "digits", "--anomaly", "0", "--out", "no/m"], "folder that exists"),
        (["fit", "vae", "digits", "--set", "foo=1", "--out", "m"], "no parameter 'foo'; it has"),
        (["fit", "vae", "digits", "--set", "foo", "--out", "m"], "NAME=VALUE, not 'foo'"),
        (["fit", "vae", "digits", "--preset", "x", "--out", "m"], "no preset 'x'"),
        (["fit", "vae", "payments.csv", "--anomaly", "1", "--out", "m"], "--label"),
        (["fit", "vae", "payments.csv", "--label", "frod", "--out", "m"], "'frod'"),
        (["fit", "vae", ".", "--pattern", "/x/*.png", "--out", "m"], "must be relative"),
        (
            ["fit", "vae", "digits", "--anomaly", "0", "--train-fraction", "0.5", "--out", "m"],
            "--train-fraction is for tables with --label",
        ),
        (["score", "m", "payments.csv"], "no model file at m"),
        (["score", "payments.csv", "payments.csv"], "payments.csv is not an OddGAN model file"),
        (["score", "m", "payments.csv", "--out", "s.txt"], "no model file at m"),
    ],
)
def test_a_users_error_is_one_line_and_exit_code_2(run, payments, words, message):
    code, out, err = run(*words)
    assert code == 2
    assert message in err
    assert len(err.strip().splitlines()) == 1
    assert not out


def test_bad_data_is_one_line(run, payments, tmp_path):
    run("fit", "vae", "payments.csv", "--label", "fraud", "--out", "m", *QUICK)
    normal = payments.drop(columns="fraud")
    cases = {
        "empty.csv": ("", "empty.csv"),
        "width.csv": (normal.drop(columns="hour").to_csv(index=False), "'hour'"),
        "extra.csv": (normal.assign(more=1).to_csv(index=False), "'more'"),
        "text.csv": (normal.assign(amount="much").to_csv(index=False), "'amount'"),
        "inf.csv": (normal.assign(amount=np.inf).to_csv(index=False), "'amount'"),
        "gap.csv": (normal.assign(amount=np.nan).to_csv(index=False), "'amount'"),
    }
    for name, (content, culprit) in cases.items():
        (tmp_path / name).write_text(content)
        code, _, err = run("score", "m", name, "--out", "s.csv")
        assert (code, culprit in err, len(err.strip().splitlines())) == (2, True, 1), (name, err)
    (tmp_path / "one.csv").write_text(normal.head(1).to_csv(index=False))
    code, _, err = run("fit", "vae", "one.csv", "--out", "m2", *QUICK)
    assert code == 2
    (tmp_path / "constant.csv").write_text("a,b\n" + "1,2\n" * 50)
    code, _, err = run("fit", "vae", "constant.csv", "--out", "m2", *QUICK)
    assert (code, "constant" in err) == (2, True)


@pytest.mark.parametrize("output", ["reconstruct", "embed"])
def test_an_unavailable_output_is_refused_before_any_work(run, payments, monkeypatch, output):
    settings = ["--set", "max_steps=2", "--set", "min_steps=1", "--quiet"]
    code, _, err = run("fit", "mogaal", "payments.csv", "-o", "m", *settings)
    assert code == 0, err
    monkeypatch.setattr(oddgan.MOGAAL, "iter_outputs", None)  # any scoring would end otherwise
    code, out, err = run("score", "m", "payments.csv", f"--{output}", "a.csv")
    assert (code, out) == (2, "")
    assert f"--{output}: MOGAAL cannot {output}: it" in err


def test_lists(run):
    for command, word in (("detectors", "egbad"), ("datasets", "fashion-mnist")):
        code, out, _ = run(command)
        assert code == 0
        assert word in out
        code, out, _ = run(command, "--json")
        assert word in json.dumps(json.loads(out))


@pytest.mark.parametrize("columns", [80, 100])
def test_the_list_of_detectors_cuts_nothing_off(run, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    _, out, _ = run("detectors")
    assert max(map(len, out.splitlines())) <= columns
    _, as_json, _ = run("detectors", "--json")
    listed = json.loads(as_json)
    gap = "\n" + " " * columns + "\n"
    entries = dict(zip(listed, out.strip().split(gap), strict=True))
    for name, cls in oddgan.all_detectors().items():
        first, *words = entries[name].replace(",", " ").split()
        assert first == name
        assert words[words.index("scores") + 1 :][:2] == [cls.scores[0], "(default)"]
        words_expected = [*cls.reference.replace(",", " ").split(), *cls.scores, *cls.presets]
        assert {*words_expected, *(f"{kind}s" for kind in cls.kinds)} <= {*words}
        assert listed[name]["inputs"] == list(cls.kinds)
        assert listed[name]["presets"].keys() == cls.presets.keys()


def test_a_protocol_by_name_and_with_parameters(run, payments):
    words = ["fit", "vae", "payments.csv", "--label", "fraud", "--out", "m", "--json", *QUICK]
    code, out, err = run(*words, "--protocol", "{name: dagmm, flag_rate: 0.1}")
    assert code == 0, err
    assert "the other half tests, 10 % of it is flagged" in json.loads(out)["split"]
    # Of 150 rows drawn about 135 are normal, and the other 150 test.
    assert 120 < json.loads(out)["n_samples"] < 150
    code, out, _ = run("evaluate", "m", "payments.csv", "--json", "--no-baselines")
    result = json.loads(out)["results"]["VAE reconstruction_probability"][0]
    assert (result["n"], result["flag_rate"]) == (150, 0.1)
    base = "{name: contaminated, base: {name: labelled}, rate: 0.1}"
    code, out, err = run(*words, "--protocol", base)
    assert code == 0, err
    assert json.loads(out)["n_samples"] == 210  # 189 normal rows and 21 anomalies
    for wrong, message in (
        ("nothing", "no protocol is called 'nothing'"),
        ("[1]", "a name or"),
        ("{name: labelled, x: 1}", "x"),
        ("{", "is not YAML"),
    ):
        code, _, err = run(*words, "--protocol", wrong)
        assert code == 2
        assert message in err
        assert len(err.strip().splitlines()) == 1


EXPERIMENT = """
title: Odd digits
headline: auroc
tasks: [{data: digits, protocol: {name: one-class-normal, normal: [3]}}]
limits: {test: 200}
params: {max_steps: 20, width: 8}
methods: [{detector: vae}]
baselines: [mean_distance]
faults: [oracle-epoch]
quick: {limits: {test: 100}}
"""


@pytest.mark.usefixtures("measured_here")
def test_an_experiment_from_yaml(run, tmp_path):
    (tmp_path / "digits.yaml").write_text(EXPERIMENT)
    code, out, err = run("bench", "digits.yaml", "--quick", "--seeds", "2", "--jobs", "1")
    assert code == 0, err
    assert "VAE" in out
    assert "mean distance" in out
    folder = tmp_path / "bench-results" / "digits-quick"
    assert {p.name for p in folder.iterdir()} == {
        "cells",
        "results.parquet",
        "table.html",
        "table.md",
    }
    assert "oddgan bench digits.yaml --seeds 2 --quick" in (folder / "table.md").read_text()
    code, out, _ = run("bench", "digits.yaml", "--quick", "--seeds", "2", "--json")
    result = json.loads(out)
    assert code == 0
    assert [line["row"] for line in result["results"]] == ["VAE", "VAE", "mean distance"]
    assert result["results"][0]["n_test"] == 100


@pytest.mark.usefixtures("measured_here")
def test_a_comparison_on_a_users_own_table(run, payments, monkeypatch):
    monkeypatch.setattr(selection, "_QUICK_STEPS", 20)
    monkeypatch.setattr(selection, "_RESAMPLES", 50)
    monkeypatch.setattr(selection, "_DETECTORS", ("oddgan", "vae"))
    words = ["bench", "--data", "payments.csv", "--label", "fraud", "--quick", "--seeds", "1"]
    words += ["--jobs", "1"]
    code, out, err = run(*words, "--json")
    assert code == 0, err
    choice = json.loads(out)["choice"]
    assert choice["n_choosing"] == 15
    assert choice["kept"] in choice["chances"]
    code, out, _ = run(*words)  # nothing is measured again
    assert code == 0
    assert f"Keep {choice['kept']}" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing"], "nothing is neither a file nor a built-in spec; there are adbench, "),
        (["digits.yaml", "--as-published", "leak"], "no fault 'leak'; it has: oracle-epoch"),
        (["digits.yaml", "--data", "payments.csv"], "an experiment or --data, not both"),
        (["digits.yaml", "--label", "fraud"], "go with --data"),
        (["digits.yaml", "--jobs", "0"], "jobs is 0"),
        (["--data", "payments.csv"], "label"),
        (["--data", "payments.csv", "--label", "frod"], "'frod'"),
        (["--data", "nowhere.csv", "--label", "fraud"], "nowhere.csv"),
        (["--label", "fraud"], "go with --data"),
    ],
)
def test_a_wrong_experiment_is_one_line_and_exit_code_2(run, payments, tmp_path, words, message):
    (tmp_path / "digits.yaml").write_text(EXPERIMENT)
    code, out, err = run("bench", *words)
    assert code == 2
    assert message in err
    assert len(err.strip().splitlines()) == 1
    assert not out


def test_experiments_are_listed(run):
    code, out, _ = run("bench")
    assert code == 0
    for name in ("paper/egbad-kdd", "paper/survey", "adbench", "industrial"):
        assert name in out
    assert set(json.loads(run("bench", "--json")[1])) >= {"paper/dagmm", "paper/alad"}


def test_the_demonstration(run, tmp_path, monkeypatch):
    # The full length is for `make demo`.
    monkeypatch.setattr("oddgan.estimator.fit._n_steps", lambda *_: 5)
    code, out, err = run("demo", "--out", "d")
    assert code == 0
    for name in ("egbad", "vae"):
        assert (tmp_path / "d" / f"{name}.oddgan").exists()
        scores = pd.read_csv(tmp_path / "d" / f"{name}-scores.csv")
        assert len(scores) == 502
    assert "AUROC" in out
    assert "Next:" in out
    assert "5/5" in err  # progress
    # The reports of the first run are enough. The name oddgan.cli.demo is that of the command.
    module = importlib.import_module("oddgan.cli.demo")
    monkeypatch.setattr(module, "write_report", lambda *_, **__: None)
    code, out, _ = run("demo", "--out", "e", "--detector", "pcareconstruction", "--json")
    assert "PCAReconstruction l2" in json.loads(out)["results"]
    code, _, err = run("demo", "--detector", "oracle")
    assert code == 2
    assert "no detector is called 'oracle'" in err
    code, out, _ = run("evaluate", "d/vae.oddgan", "digits", "--no-baselines", "--json")
    assert json.loads(out)["results"]["VAE reconstruction_probability"][0]["n"] == 502


def test_ctrl_c_loses_nothing(run, tmp_path, payments):
    """A real SIGINT to a real process; the same command then ends as if never interrupted."""
    words = ["fit", "vae", "payments.csv", "--label", "fraud"]
    steps = ["--set", "max_steps=500", "--set", "min_steps=500", "--set", "batch_size=16"]
    settings = ["--set", "width=8", *steps, "--quiet", "--out"]
    process = subprocess.Popen(
        [sys.executable, "-m", "oddgan", *words, *settings, "m"],
        cwd=tmp_path, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    while not (tmp_path / "m.ckpt").exists():  # written as the loop begins
        time.sleep(0.02)
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "resumes from" in err
    assert (tmp_path / "m.ckpt").exists()
    assert run(*words, *settings, "m")[0] == 0
    assert not (tmp_path / "m.ckpt").exists()
    assert run(*words, *settings, "whole")[0] == 0
    X = payments.drop(columns="fraud")
    np.testing.assert_array_equal(
        oddgan.load(tmp_path / "m").anomaly_score(X),
        oddgan.load(tmp_path / "whole").anomaly_score(X),
    )


@pytest.mark.realdata
@pytest.mark.parametrize(("name", "option"), [("mnist", ["--anomaly", "0"]), ("kddcup99", [])])
def test_real_data_by_name(run, name, option):
    if not next(info for info in datasets.available() if info.name == name).present:
        pytest.skip(f"the files of {name} are not in the data home {datasets.data_home()}")
    small = ["--set", "n_draws=1", "--set", "health=false"] + (
        ["--set", "image_size=8"] if name == "mnist" else []
    )
    code, out, err = run("fit", "vae", name, *option, "--out", "m", *QUICK, *small)
    assert code == 0, err
    code, out, err = run("evaluate", "m", name, "--no-baselines", "--json")
    result = json.loads(out)["results"]["VAE reconstruction_probability"][0]
    assert result["n"] == {"mnist": 19_523, "kddcup99": 247_011}[name]


def test_the_version_is_that_of_the_package(run):
    assert run("--version") == (0, f"oddgan {importlib.metadata.version('oddgan')}\n", "")
