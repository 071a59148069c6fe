"""The experiment runner: specs, resuming, failures, the command, a user's own data."""

import fcntl
import functools
import importlib.metadata
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from oddgan import (
    VAE,
    Autoencoder,
    OddGAN,
    PCAReconstruction,
    all_detectors,
    bench,
    datasets,
    evaluation,
)
from oddgan.bench import selection
from oddgan.bench.cells import run_cell
from oddgan.bench.data import digest, open_data
from oddgan.bench.describe import describe
from oddgan.bench.progress import Bar
from oddgan.bench.reading import spec_from
from oddgan.bench.runner import _Workers, run_cells
from oddgan.bench.store import read_result
from support.measuring import measure_here

QUICK = {"max_steps": 20, "min_steps": 1, "epochs": 1, "batch_size": 16, "width": 8}
SPEC = {
    "title": "Digits",
    "about": "A test.",
    "headline": ["auroc", "average_precision"],
    "tasks": [
        {
            "data": "digits",
            "protocol": {"name": "one-class-anomalous", "anomaly": [0, 1]},
            "limits": {"train": 100, "test": 200},
        }
    ],
    "seeds": 2,
    "params": QUICK,
    "methods": [
        {"detector": "autoencoder"},
        {"detector": "egbad", "scores": ["sigma", "feature_matching"], "grid": {"degree": [1, 2]}},
    ],
    "baselines": ["mean_distance", "isolation_forest"],
    "faults": ["leak"],
    "quick": {"seeds": [7]},
}
ENDLESS = {
    "detector": "autoencoder",
    "title": "endless",
    "params": {"epochs": 10**6, "max_steps": None},
}


def spec(name="digits", quick=False, **changes):
    return spec_from({**SPEC, **changes}, name=name, quick=quick)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Return the results of the whole experiment, measured in this process."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        measure_here(monkeypatch)
        return bench.run(spec(), out=tmp_path_factory.mktemp("whole"), jobs=1)


# ------------------------------------------------------------------------------------- specs


def test_cells_are_the_product_seed_by_seed():
    cells = spec().cells()
    # Two tasks by (an autoencoder, two EGBADs and a forest with two seeds; a mean with one).
    assert len(cells) == 2 * (4 * 2 + 1)
    assert [c.seed for c in cells] == sorted(c.seed for c in cells)
    assert {c.task.title for c in cells} == {"digits 0", "digits 1"}
    assert {c.method.title for c in cells if c.method.kind == "detector"} == {
        "Autoencoder",
        "EGBAD degree=1",
        "EGBAD degree=2",
    }
    assert len({c.key for c in cells}) == len(cells)
    assert [c.seed for c in spec(quick=True).cells()] == [7] * 10


def test_each_seed_has_its_own_split_only_with_resplit():
    task = SPEC["tasks"][0]
    fixed = {c.task.protocol["seed"] for c in spec().cells()}
    own_split = spec(tasks=[{**task, "resplit": True}]).cells()
    assert fixed == {0}
    assert all(c.task.protocol["seed"] == c.seed for c in own_split)
    # Then the result of a deterministic baseline also depends on the seed.
    assert len(own_split) == 2 * 5 * 2


def test_parameters_come_from_preset_spec_task_and_method_in_this_order():
    methods = [{"detector": "egbad", "preset": "paper-kdd", "params": {"width": 9}}]
    task = {**SPEC["tasks"][0], "params": {"batch_size": 17, "width": 10}}
    params = spec(methods=methods, tasks=[task], baselines=[]).cells()[0].method.params
    assert params["learning_rate"] == 1e-5  # the preset's
    assert params["max_steps"] == 20  # the spec's, over the preset's
    assert params["batch_size"] == 17  # the task's, over the spec's
    assert params["width"] == 9  # the method's, over the task's


def test_a_cells_key_follows_what_its_result_depends_on():
    def key(**changes):
        return spec(**changes).cells()[0].key

    assert key() == key(seeds=5, headline="auroc", methods=SPEC["methods"][:1])
    assert key() != key(params={**QUICK, "max_steps": 21})
    assert key() != key(tasks=[{**SPEC["tasks"][0], "limits": {"train": 99}}])
    assert key() != key(keep_scores=True)


def test_faults_are_shown_alone_and_together():
    both = spec(faults=["leak", "oracle-epoch"])
    cells = [c for c in both.cells(["leak", "oracle-epoch"]) if c.task.title == "digits 0"]
    ours = [c.faults for c in cells if c.method.title == "Autoencoder" and c.seed == 0]
    assert ours == [(), ("leak",), ("oracle-epoch",), ("leak", "oracle-epoch")]
    assert {c.faults for c in cells if c.method.kind == "baseline"} == {()}
    with pytest.raises(ValueError, match="digits has no fault 'unscaled'; it has: leak"):
        spec().cells(["unscaled"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 3}, "a spec has no key 'seed'"),
        ({"headline": "auc"}, "headline 'auc' is not a metric; there are .*auroc"),
        ({"methods": [{"detector": "gan"}]}, "no detector is called 'gan'; there are .*egbad"),
        ({"methods": [{"detector": "egbad", "preset": "x"}]}, "no preset 'x'; it has paper-mnist"),
        ({"methods": [{"detector": "egbad", "scores": ["x"]}]}, "'score_name' parameter of EGBAD"),
        ({"methods": [{"detector": "egbad", "scores": ["local,x"]}]}, "no component 'local'"),
        ({"methods": [{"detector": "vae", "scores": ["feature_knn"]}]}, "it has no discriminator"),
        ({"methods": [{"detector": "egbad", "params": {"depth": 1}}]}, "depth"),
        ({"methods": [{"detector": "vae"}] * 2}, "two of its methods have the title .*'VAE'"),
        ({"tasks": [{"data": "digits", "protocol": {"name": "x"}}]}, "no protocol is called 'x'"),
        ({"tasks": [{"data": "digits"}]}, "a task needs the key 'protocol'"),
        ({"baselines": ["luck"]}, "no baseline is called 'luck'"),
        ({"faults": ["bad"]}, "no fault is called 'bad'"),
        ({"seeds": 0}, "seeds are"),
        ({"methods": "egbad"}, "a method is a mapping"),
    ],
)
def test_a_wrong_spec_is_refused_before_anything_runs(changes, message):
    with pytest.raises((ValueError, TypeError), match=message):
        spec(**changes)


def test_a_file_that_is_not_a_spec_is_named(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("title: [")
    with pytest.raises(ValueError, match=r"mine.yaml is not YAML"):
        bench.read_spec(path)
    path.write_text(yaml.safe_dump({**SPEC, "headline": "auc"}))
    with pytest.raises(ValueError, match=r"mine.yaml: headline 'auc'"):
        bench.read_spec(path)
    with pytest.raises(ValueError, match=r"neither a file nor a built-in spec; .*adbench"):
        bench.read_spec("paper/none")
    path.write_text(yaml.safe_dump({k: v for k, v in SPEC.items() if k != "quick"}))
    with pytest.raises(ValueError, match="has no quick size"):
        bench.read_spec(path, quick=True)


# --------------------------------------------------------------------------------------- runs


def test_measured_metrics_equal_those_of_the_detector_by_hand(finished):
    """The runner changes nothing: the same detector by hand has the same metrics."""
    digits = datasets.load("digits")
    split = evaluation.OneClassAnomalous(0).split(digits).limited(train=100, test=200)
    fitted = Autoencoder(**QUICK, random_state=1).fit(digits.X[split.train])
    by_hand = evaluation.evaluate_scores(
        split.y_test, fitted.anomaly_score(digits.X[split.test]), threshold=fitted.threshold_
    )
    line = finished.frame.query("task == 'digits 0' and row == 'Autoencoder' and seed == 1")
    assert line["auroc"].item() == pytest.approx(by_hand.auroc, abs=1e-6)
    assert line["f1"].item() == pytest.approx(by_hand.f1, abs=1e-6)
    assert (line["n_train"].item(), line["n_test"].item()) == (100, 200)
    promises = evaluation.evaluate_promises(
        split.y_test, fitted.anomaly_score(digits.X[split.test]), fitted.calibration_scores_
    )
    assert promises.fpr_at_1 == pytest.approx(line["fpr_at_1"].item())
    for name in ("fpr_at_5", "fpr_at_10", "fdr_at_10", "recall_at_fdr_10"):
        assert line[name].item() == pytest.approx(getattr(promises, name), abs=1e-6)
    assert line["fpr_at_10_high"].item() == pytest.approx(
        promises.intervals["fpr_at_10"][1], abs=1e-6
    )
    assert line["n_held_out"].item() == 100  # cross-fitted: each row is held out once
    others = finished.frame.query("kind != 'detector'")
    assert others["fpr_at_10"].isna().all()  # they promise nothing


def test_results_are_written_as_a_tidy_table_and_as_tables_to_read(finished):
    stored = pd.read_parquet(finished.folder / "results.parquet")
    assert len(stored) == 2 * (2 * (1 + 2 * 2 + 1) + 1)
    assert set(stored["status"]) == {"done"}
    assert (stored["auroc_low"] <= stored["auroc"]).all()
    assert (stored["auroc"] <= stored["auroc_high"]).all()
    assert (stored["peak_mib"] > 50).all()
    assert json.loads(stored["versions"][0])["torch"]
    text = (finished.folder / "table.md").read_text()
    for expected in ("EGBAD degree=2 feature_matching", "digits 1", "isolation forest"):
        assert expected.lower() in text.lower()
    assert "<table" in (finished.folder / "table.html").read_text()


def test_one_training_serves_all_scores_and_equals_separate_trainings():
    cells = spec().cells()
    both = next(c for c in cells if c.method.title == "EGBAD degree=1").definition()
    alone = {**both, "method": {**both["method"], "scores": ["feature_matching"]}}
    _, shared = run_cell(both)
    _, single = run_cell(alone)
    np.testing.assert_array_equal(shared["feature_matching"], single["feature_matching"])


@pytest.mark.parametrize(
    ("scores", "fitted_with"),
    [(["l2", "local", "latent_knn"], [1]), (["l2", "input_knn,l1", "local"], [])],
)
def test_one_training_serves_all_score_components(scores, fitted_with):
    """It fits what all of them need; only the score it was fitted with has a threshold."""
    # By itself "local" would have the training shift the images.
    cell = spec(params={**QUICK, "augment": None}).cells()[0].definition()
    assert cell["method"]["name"] == "autoencoder"

    def measured(names):
        return run_cell({**cell, "method": {**cell["method"], "scores": names}})

    result, scores_by_name = measured(scores)
    assert list(scores_by_name) == [row["score"] for row in result["rows"]] == scores
    for name in scores:
        # With "local" some rows set a scale and do not train.
        np.testing.assert_array_equal(scores_by_name[name], measured([name, "local"])[1][name])
    thresholds = [row["metrics"]["threshold"] for row in result["rows"]]
    assert [i for i, value in enumerate(thresholds) if value is not None] == fitted_with


def test_finished_cells_are_not_measured_again(finished):
    before = {p: p.stat().st_mtime_ns for p in (finished.folder / "cells").glob("*.json")}
    again = bench.run(spec(), out=finished.folder, jobs=2)
    after = {p: p.stat().st_mtime_ns for p in (finished.folder / "cells").glob("*.json")}
    assert before == after
    assert again.markdown() == finished.markdown()


def test_a_truncated_result_is_named(finished, tmp_path):
    cell = spec().cells()[0]
    text = (finished.folder / "cells" / f"{cell.key}.json").read_text()
    (tmp_path / f"{cell.key}.json").write_text(text[:100])
    with pytest.raises(ValueError, match=f"{cell.key}.json is not a result .* delete it"):
        run_cells([cell], tmp_path, jobs=1, listener=Log())


def quality(results):
    """Return the columns that are equal in all runs: all but times and memory."""
    columns = [c for c in results.frame if not c.endswith("_seconds") and c != "peak_mib"]
    return results.frame[columns]


@pytest.mark.usefixtures("measured_here")
def test_a_run_killed_in_the_middle_of_its_cells_resumes_with_the_same_results(finished, tmp_path):
    """Its processes end with it; its results stay, the others are measured here."""
    path = tmp_path / "digits.yaml"
    # Each of the two processes is caught by an endless cell: one at once, one after five others.
    path.write_text(yaml.safe_dump({**SPEC, "seeds": 1, "methods": [ENDLESS, *SPEC["methods"]]}))
    process = subprocess.Popen([*_command(path), "--jobs", "2"], cwd=tmp_path)
    cells = tmp_path / "out" / "cells"
    try:
        _wait_until(lambda: len(list(cells.glob("*.json"))) == 5)
        process.kill()
        assert process.wait(timeout=30) == -signal.SIGKILL
        _wait_until_no_process_uses(cells)
    finally:
        process.kill()
    times = {p: p.stat().st_mtime_ns for p in cells.glob("*.json")}
    assert 3 <= len(times) < 10, "the run was to be killed in the middle"
    assert not (tmp_path / "out" / "table.md").exists()
    path.write_text(yaml.safe_dump({**SPEC, "seeds": 1}))
    results = bench.run(path, out=tmp_path / "out", jobs=1)
    assert {p: p.stat().st_mtime_ns for p in times} == times
    of_first_seed = quality(finished).query("seed == 0").reset_index(drop=True)
    pd.testing.assert_frame_equal(quality(results), of_first_seed)


def test_ctrl_c_ends_a_run_and_its_processes(tmp_path):
    """In the middle of a cell that would take forever, with others waiting."""
    stand_in = _stand_in(tmp_path, "time.sleep(10**6)")
    site = tmp_path / "site"
    site.mkdir()
    # Python imports this at its start.
    (site / "sitecustomize.py").write_text(f"import sys; sys.executable = {str(stand_in)!r}")
    path = tmp_path / "digits.yaml"
    path.write_text(yaml.safe_dump(SPEC))
    # What runs in the background of a shell ignores Ctrl-C.
    hear = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    paths = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))
    process = subprocess.Popen(
        [*_command(path), "--jobs", "1"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear,
        env={**os.environ, "PYTHONPATH": paths},
    )
    cells = tmp_path / "out" / "cells"
    try:
        requests = cells / "requests"
        _wait_until(lambda: requests.exists() and requests.read_text())  # it is at work
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(timeout=30) == 130
        _wait_until_no_process_uses(cells)
    finally:
        process.kill()  # if the test failed, it would run forever
    assert len(requests.read_text().splitlines()) == 1


def _command(spec):
    return [sys.executable, "-m", "oddgan", "bench", str(spec), "--out", "out"]


def _stand_in(folder, action):
    """Write a program to run instead of Python with the worker, which starts at once.

    For each request it appends the key to FOLDER/requests, runs `action`, which can use ``key``,
    and answers that the cell is done.
    """
    program = folder / "stand_in"
    program.write_text(
        f"#!{sys.executable} -SE\n"
        "import json, os, pathlib, signal, sys, time\n"
        "folder = pathlib.Path(sys.argv[-1])\n"
        "for line in sys.stdin:\n"
        "    request = json.loads(line)\n"
        "    key = request['key']\n"
        "    with (folder / 'requests').open('a') as requests:\n"
        "        requests.write(key + '\\n')\n"
        f"    {action}\n"
        "    result = {'cell': request['definition'], 'status': 'done', 'rows': [],\n"
        f"              'versions': {{'oddgan': {importlib.metadata.version('oddgan')!r}}}}}\n"
        "    (folder / f'{key}.json').write_text(json.dumps(result))\n"
        "    print(key, flush=True)\n"
    )
    program.chmod(0o755)
    return program


def _wait_until(condition):
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _wait_until_no_process_uses(cells):
    """Wait for the processes of a killed run, which end by themselves."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if not [p for p in _command_lines() if str(cells) in p]:
            return
        time.sleep(0.05)
    raise AssertionError(f"processes of the killed run are still there: {_command_lines()}")


def _command_lines():
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return [line for line in lines if "bench.worker" in line]


class Log:
    """A listener that stores the results."""

    def start(self, cells, done, jobs):
        self.results = []

    def finished(self, cell, result, seconds):
        self.results.append((cell, result))

    def stop(self):
        pass


@pytest.mark.usefixtures("measured_here")
def test_a_cell_that_fails_is_reported_and_stops_no_other(tmp_path):
    # The digits have no class "x", which only the data can tell.
    bad = {
        "data": "digits",
        "title": "bad",
        "protocol": {"name": "one-class-normal", "normal": "x"},
    }
    results = bench.run(
        spec(tasks=[bad, *SPEC["tasks"]], seeds=1, methods=SPEC["methods"][:1], baselines=[]),
        out=tmp_path,
        jobs=1,
    )
    assert list(results.failed["task"]) == ["bad"]
    assert "has no class 'x'" in results.failed["error"].item()
    assert (results.frame["status"] == "done").sum() == 2
    assert "has no class" in results.markdown()


def test_a_process_that_dies_fails_one_cell(tmp_path, monkeypatch):
    """As when the system ends it because memory runs out."""
    deadly = "if 'forest' in key: os.kill(os.getpid(), signal.SIGKILL)"
    only_zero = {**SPEC["tasks"][0]["protocol"], "anomaly": 0}
    cells = spec(
        tasks=[{**SPEC["tasks"][0], "protocol": only_zero}],
        seeds=1,
        methods=SPEC["methods"][:1],
        baselines=["isolation_forest", "mean_distance"],
    ).cells()
    log = Log()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "executable", str(_stand_in(tmp_path, deadly)))
        run_cells(cells, tmp_path / "cells", jobs=1, listener=log)
    failed = [cell.method.title for cell, result in log.results if result["status"] == "failed"]
    assert failed == ["Isolation Forest"]
    assert log.results[-1][0].method.name == "mean_distance"  # measured by another process
    dead = next(c for c in cells if c.method.name == "isolation_forest")
    assert "SIGKILL" in read_result(tmp_path / "cells", dead)["error"]
    assert len(log.results) == len(cells) == 3
    measure_here(monkeypatch)
    run_cells(cells, tmp_path / "cells", jobs=1, listener=log)
    assert [r["status"] for _, r in log.results] == ["done"]  # only what had failed


@pytest.mark.parametrize("fresh", [False, True])
def test_two_runs_cannot_use_one_folder(tmp_path, fresh):
    cells = spec().cells()
    folder = tmp_path / "cells"
    folder.mkdir()
    other = folder / f"{cells[0].key}.json"
    other.write_text("the other run's")
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(RuntimeError, match="another run uses"):
            run_cells(cells, folder, jobs=1, listener=Log(), fresh=fresh)
    assert other.read_text() == "the other run's"


@pytest.mark.usefixtures("measured_here")
def test_fresh_and_another_version_measure_again(tmp_path):
    cells = spec(seeds=1, methods=SPEC["methods"][:1], baselines=["mean_distance"]).cells()
    log = Log()
    run_cells(cells, tmp_path, jobs=1, listener=log)
    run_cells(cells, tmp_path, jobs=1, listener=log, fresh=True)
    assert len(log.results) == len(cells) == 4
    path = tmp_path / f"{cells[0].key}.json"
    result = json.loads(path.read_text())
    result["versions"]["oddgan"] = "0.0.1"
    path.write_text(json.dumps(result))
    run_cells(cells, tmp_path, jobs=1, listener=log)
    assert [cell.key for cell, _ in log.results] == [cells[0].key]


def test_a_users_module_does_not_shadow_the_librarys(tmp_path, monkeypatch):
    (tmp_path / "statistics.py").write_text("raise RuntimeError('not yours')")
    monkeypatch.chdir(tmp_path)
    log = Log()
    cells = spec(seeds=1, methods=SPEC["methods"][:1], baselines=[]).cells()[:1]
    run_cells(cells, tmp_path / "cells", jobs=1, listener=log)
    assert [result["status"] for _, result in log.results] == ["done"]


def test_a_process_killed_while_idle_does_not_fail_the_next_cell(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(_stand_in(tmp_path, "pass")))
    workers = _Workers(tmp_path)
    first, second = spec(seeds=1, methods=SPEC["methods"][:1], baselines=[]).cells()[:2]
    assert workers.measure(first)[0]["status"] == "done"
    workers._all[0].kill()
    workers._all[0].wait()
    assert workers.measure(second)[0]["status"] == "done"
    workers.end()


# --------------------------------------------------------------------------- a user's own data


@pytest.fixture
def frauds(tmp_path):
    """Payments of which 5 % are far off in one column, in a CSV file."""
    rng = np.random.default_rng(0)
    fraud = np.arange(600) % 20 == 0
    frame = pd.DataFrame(
        {
            "amount": rng.normal(size=600) + 6 * fraud,
            "shop": rng.choice(["a", "b"], 600),
            "fraud": np.where(fraud, "yes", "no"),
        }
    )
    frame.to_csv(tmp_path / "frauds.csv", index=False)
    return tmp_path / "frauds.csv"


@pytest.mark.usefixtures("measured_here")
def test_a_users_own_table_is_compared_and_one_method_is_kept(frauds, tmp_path):
    chosen = selection.selection_spec(frauds, "fraud", "yes", quick=True, seeds=1)
    chosen = spec_from(
        {
            "title": chosen.title,
            "headline": list(chosen.headline),
            "tasks": [
                {
                    "data": str(frauds),
                    "protocol": chosen.tasks[0].protocol,
                    "load": chosen.tasks[0].load,
                }
            ],
            "methods": [{"detector": "pcareconstruction"}],
            "baselines": ["mean_distance", "isolation_forest"],
            "keep_scores": True,
        },
        name="frauds",
    )
    results = bench.run(chosen, out=tmp_path / "out", jobs=1)
    choice = selection.choose(results)
    assert choice.kept in set(results.frame["row"])
    assert sum(choice.chances.values()) == pytest.approx(1)
    assert choice.n_choosing == 15  # half of the 30 frauds
    assert choice.low <= choice.figure <= choice.high
    # Half of the 171 normal rows that did not train, and 15 frauds, say how good it is.
    assert choice.prevalence == pytest.approx(15 / (15 + 86), abs=0.005)
    assert "label more" in " ".join(choice.sentences())


@pytest.mark.usefixtures("measured_here")
def test_a_result_that_failed_does_not_choose(frauds, tmp_path):
    values = {
        "title": "Frauds",
        "headline": "auroc",
        "tasks": [
            {
                "data": str(frauds),
                "protocol": {"name": "labelled", "anomaly": "yes"},
                "load": {"label": "fraud", "sha256": digest(frauds)},
            }
        ],
        "methods": [{"detector": "pcareconstruction"}],
        "baselines": ["mean_distance", "isolation_forest"],
        "keep_scores": True,
    }
    results = bench.run(spec_from(values, name="frauds"), out=tmp_path / "out", jobs=1)
    kept = selection.choose(results).kept
    cell = next(c for c in results.spec.cells() if c.method.title == kept)
    path = tmp_path / "out" / "cells" / f"{cell.key}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "status": "failed"}))
    assert selection.choose(results).kept != kept


def test_own_data_get_their_default_protocol(tmp_path):
    assert (
        selection.selection_spec("digits", None, "3").tasks[0].protocol["name"]
        == "one-class-anomalous"
    )
    with pytest.raises(ValueError, match="--anomaly"):
        selection.selection_spec("digits", None)
    with pytest.raises(ValueError, match="a data set that has labels"):
        selection.selection_spec("digits", "x", "3")
    frame = pd.DataFrame({"a": range(40), "odd": [i % 4 == 0 for i in range(40)]})
    frame.to_csv(tmp_path / "b.csv", index=False)
    assert (
        selection.selection_spec(tmp_path / "b.csv", "odd").tasks[0].protocol["anomaly"] == "True"
    )
    frame.assign(odd=[i == 0 for i in range(40)]).to_csv(tmp_path / "c.csv", index=False)
    with pytest.raises(ValueError, match="1 test rows of a class cannot be halved"):
        selection.selection_spec(tmp_path / "c.csv", "odd")


def test_oddgan_is_compared_with_its_controls_on_own_data(frauds):
    of_kind = {
        "table": selection.selection_spec(frauds, "fraud", "yes"),
        "image": selection.selection_spec("digits", None, "3"),
    }
    for kind, chosen in of_kind.items():
        methods = {method.title: method for method in chosen.methods}
        for title, control in OddGAN.controls(kind).items():
            method = methods[title]
            detector = all_detectors()[method.name](score_name=control.score_name, **method.params)
            assert type(detector) is type(control)
            assert detector.get_params() == control.get_params()
            assert method.scores == (",".join(np.atleast_1d(control.score_name)),)


def test_the_quick_size_trains_no_detector_longer(frauds):
    chosen = selection.selection_spec(frauds, "fraud", "yes", quick=True)
    steps = {m.title: m.params["max_steps"] for m in chosen.methods if m.kind == "detector"}
    assert steps["OddGAN"] == OddGAN.recipe("table").max_steps == 300
    assert steps["untrained control"] == 0
    assert steps["VAE"] == steps["autoencoder control"] == 1000 < VAE().max_steps


def test_the_half_that_chooses_is_not_the_half_that_reports():
    y = np.arange(101) < 31
    first, second = selection._halves(y)
    assert not (first & second).any()
    assert (first | second).all()
    assert (y[first].sum(), y[second].sum()) == (15, 16)


def test_the_estimate_comes_from_the_half_that_did_not_choose(monkeypatch):
    """A method that is perfect on one half and reversed on the other is not a good one."""
    y = np.arange(200) < 40
    first, _ = selection._halves(y)
    memorised = np.where(first, y, ~y).astype(float)
    noise = np.random.default_rng(0).normal(size=200)
    monkeypatch.setattr(selection, "_labels", lambda cell: y)
    monkeypatch.setattr(
        selection, "_stored_scores", lambda *_: {"memorised": [memorised], "noise": [noise]}
    )
    choice = selection.choose(bench.Results(spec(), Path(), pd.DataFrame(), None))
    assert choice.kept == "memorised"
    assert choice.chances["memorised"] == 1
    assert choice.figure == pytest.approx(0.2)  # all normal samples come first


def test_the_time_left_is_estimated_from_similar_cells():
    cells = spec(seeds=2, methods=SPEC["methods"][:1], baselines=["isolation_forest"]).cells()
    bar = Bar()
    bar.start(cells, [], jobs=2)
    slow = [c for c in cells if c.method.title == "Autoencoder"]
    fast = [c for c in cells if c.method.title != "Autoencoder"]
    bar.finished(slow[0], {"status": "done"}, 60.0)
    bar.finished(fast[0], {"status": "done"}, 2.0)
    bar.stop()
    # Three of 60 seconds and three of 2 are left, on two processes.
    assert bar._bar.tasks[0].fields["left"] == "about 2 min left"
    assert sum(map(bar._expected, bar._todo)) == pytest.approx(3 * 60 + 3 * 2)


@pytest.mark.realdata
def test_maps_are_measured_where_the_data_have_masks():
    if not next(i for i in datasets.available() if i.name == "magnetic-tile").present:
        pytest.skip(f"the files of magnetic-tile are not in the data home {datasets.data_home()}")
    task = {
        "data": "magnetic-tile",
        "protocol": {"name": "defect-free"},
        "load": {"size": 16},
        "limits": {"train": 60, "test": 80},
    }
    cell = spec(tasks=[task], methods=[{"detector": "pcareconstruction"}], params={}).cells()[0]
    measured = run_cell(cell.definition())[0]["rows"][0]["metrics"]
    tiles = open_data("magnetic-tile", {"size": 16})
    split = evaluation.DefectFree().split(tiles).limited(train=60, test=80)
    fitted = PCAReconstruction(random_state=0).fit(
        tiles.X[split.train], groups=tiles.groups[split.train]
    )
    maps = fitted.explain(tiles.X[split.test]).anomaly_map
    by_hand = evaluation.evaluate_maps(tiles.masks[split.test], maps)
    assert by_hand.n_regions > 10
    assert measured["aupro"] == pytest.approx(by_hand.aupro)
    assert measured["pixel_auroc"] == pytest.approx(by_hand.pixel_auroc)


def test_the_command_repeats_the_arguments(tmp_path):
    path = tmp_path / "digits.yaml"
    path.write_text(yaml.safe_dump({**SPEC, "seeds": [5, 9]}))
    full, fewer = bench.read_spec(path), bench.read_spec(path, quick=True, seeds=1)
    assert describe(full, [], [], []).command == f"oddgan bench {path}"
    assert describe(fewer, [], [], ["leak"]).command == (
        f"oddgan bench {path} --seeds 1 --quick --as-published leak"
    )


def test_own_data_that_changed_or_has_no_label_is_refused(frauds):
    with pytest.raises(ValueError, match="set label to the column that holds the labels"):
        selection.selection_spec(frauds, None)
    with pytest.raises(ValueError, match="no class 'maybe'"):
        selection.selection_spec(frauds, "fraud", "maybe")
    definition = selection.selection_spec(frauds, "fraud", "yes").cells()[0].definition()
    frauds.write_text(frauds.read_text() + "0.1,a,no\n")
    with pytest.raises(ValueError, match="has changed since"):
        run_cell(definition)
