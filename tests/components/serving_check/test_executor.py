"""The component as TFX calls it, with real processes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from ml_metadata.proto import metadata_store_pb2 as pb
from tfx.components.pusher.executor import Executor as StockPusher
from tfx.orchestration import metadata
from tfx.orchestration.portable.data_types import ExecutionInfo
from tfx.types import standard_artifacts

from components.pusher.checked import checked_files
from components.serving_check import executor as executor_module
from components.serving_check.component import FAILURES, Driver
from components.serving_check.config import CheckConfig
from components.serving_check.executor import Executor, first_rows, stamp
from components.serving_check.result import CheckResult, read_check
from janus_core.errors import DataError
from janus_core.manifest import manifest_of
from serving.check.findings import read_findings
from serving.saved_model import LoadedModel
from serving.warmup import FILE as WARMUP_FILE
from serving.warmup import read_warmup, replay, warmup_rows
from tests.components.anomaly_gate.statistics import write_split
from tests.components.examples import artifact_at, example, examples_artifact
from tests.components.serving_check.models import ROWS

pytestmark = pytest.mark.slow

PASSED = CheckResult(
    passed=True, seconds=1, size_mb=1, peak_memory_mb=1, signatures=[], rows=5, latency={}, problems=[]
)


def run(folder: Path, model: Path, config: CheckConfig) -> standard_artifacts.InfraBlessing:
    """The blessing of a model."""
    artifact = artifact_at(standard_artifacts.Model, folder / "model")
    artifact.id = 17
    (folder / "model" / "Format-Serving").symlink_to(model)
    shards = {"train": [[example({"x": 9.0})]], "eval": [ROWS[:2], ROWS[2:]]}
    examples = examples_artifact(folder / "examples", shards)
    blessing = artifact_at(standard_artifacts.InfraBlessing, folder / "blessing")
    table = {"x": [0.25, 0.5, 0.75, 1.0] * 5, "color": [b"red"] * 15 + [b"rare"] * 5, "stops": [1, 2, 3, 4] * 5}
    write_split(folder / "statistics", "train", table)
    statistics = artifact_at(standard_artifacts.ExampleStatistics, folder / "statistics")
    inputs = {"model": [artifact], "examples": [examples], "statistics": [statistics]}
    Executor().Do(inputs, {"blessing": [blessing]}, {"config": config.model_dump_json()})
    return blessing


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_good_model_is_blessed_and_stamped(tmp_path: Path, good_model: Path) -> None:
    blessing = run(tmp_path, good_model, CheckConfig(check_rows=3, warmup_rows=2))
    result = read_check(blessing.uri)
    assert result.problems == []
    assert result.passed
    assert result.rows == 3
    assert 200 < result.peak_memory_mb < 4096
    assert blessing.get_int_custom_property("blessed") == 1
    assert blessing.get_int_custom_property("has_model") == 1
    assert {path.name for path in Path(blessing.uri).iterdir()} == {"INFRA_BLESSED", "check.json", "stamped_model"}
    assert checked_files({"infra_blessing": [blessing]}) == manifest_of(Path(blessing.uri) / "stamped_model")

    pusher = StockPusher()
    assert pusher.CheckBlessing({"infra_blessing": [blessing]})
    pushed = Path(pusher.GetModelPath({"infra_blessing": [blessing]}))
    added = contents(pushed).items() - contents(good_model).items()
    assert {name for name, _ in added} == {str(WARMUP_FILE)}
    model = LoadedModel(pushed)
    logs = read_warmup(pushed)
    assert logs
    for log in logs:
        replay(model, log)
    model.close()
    assert b"label" not in (pushed / WARMUP_FILE).read_bytes()
    rows = [tf.train.Example.FromString(row).features.feature for row in warmup_rows(pushed)]
    assert [(row["color"].bytes_list.value[0], row["stops"].int64_list.value[0]) for row in rows] == [
        (b"red", 2),
        (b"red", 3),
    ], "made of the statistics"


def test_real_rows_go_with_the_model_where_wanted(
    tmp_path: Path, good_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(executor_module, "check_model", lambda model, rows, config: asked.append(rows) or PASSED)
    config = CheckConfig(check_rows=3, warmup_rows=2, warmup="real", sensitive=["x"])
    blessing = run(tmp_path, good_model, config)
    rows = warmup_rows(Path(blessing.uri) / "stamped_model")
    found = [tf.train.Example.FromString(row).features.feature for row in rows]
    real = [tf.train.Example.FromString(row).features.feature for row in ROWS[:2]]
    assert [row["color"] for row in found] == [row["color"] for row in real]
    assert [list(row["x"].float_list.value) for row in found] == [[0.0], [0.0]]
    assert asked[0][:3] == ROWS[:3]
    assert len(asked[0]) == 5, "the check answers the warm-up rows, too: TF Serving must"


def test_a_model_that_fails_is_not_blessed(tmp_path: Path, good_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = PASSED.model_copy(update={"passed": False, "problems": ["something"]})
    monkeypatch.setattr(executor_module, "check_model", lambda *_: failed)
    blessing = run(tmp_path, good_model, CheckConfig())
    assert read_check(blessing.uri) == failed
    assert {path.name for path in Path(blessing.uri).iterdir()} == {"INFRA_NOT_BLESSED", "check.json"}
    assert blessing.get_int_custom_property("blessed") == 0
    assert blessing.get_int_custom_property("has_model") == 0
    assert not StockPusher().CheckBlessing({"infra_blessing": [blessing]})


def test_without_warmup_the_stamped_model_is_the_exported_one(
    tmp_path: Path, good_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor_module, "check_model", lambda *_: PASSED)
    blessing = run(tmp_path, good_model, CheckConfig(warmup_rows=0))
    assert contents(Path(blessing.uri) / "stamped_model") == contents(good_model)


def test_the_same_model_and_rows_give_the_same_bytes(tmp_path: Path, good_model: Path) -> None:
    for name in ("one", "two"):
        stamp(good_model, tmp_path / name, ROWS)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_broken_stamp_leaves_nothing(tmp_path: Path, good_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(model: Path, rows: list[bytes]) -> int:
        assert (model / "saved_model.pb").exists()
        raise OSError("disk full")

    monkeypatch.setattr(executor_module, "write_warmup", fail)
    with pytest.raises(OSError, match="disk full"):
        stamp(good_model, tmp_path / "stamped", ROWS)
    assert list(tmp_path.iterdir()) == []


def test_the_first_rows_in_the_order_of_the_files(tmp_path: Path) -> None:
    examples = examples_artifact(tmp_path, {"train": [[ROWS[4]]], "eval": [ROWS[:2], ROWS[2:]]})
    assert first_rows([examples], "eval", 3) == ROWS[:3]
    assert first_rows([examples], "eval", 100) == ROWS
    empty = examples_artifact(tmp_path / "empty", {"eval": [[]]})
    with pytest.raises(DataError, match="the eval split has no rows"):
        first_rows([empty], "eval", 3)


def test_the_process_imports_tensorflow_alone(tmp_path: Path, good_model: Path) -> None:
    rows = tmp_path / "rows.tfrecord"
    with tf.io.TFRecordWriter(str(rows)) as writer:
        for row in ROWS:
            writer.write(row)
    code = (
        "import json, pathlib, sys; from serving.check.__main__ import main; main(*map(pathlib.Path, sys.argv[1:])); "
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    arguments = [sys.executable, "-c", code, str(good_model), str(rows), str(tmp_path)]
    loaded = set(json.loads(subprocess.run(arguments, check=True, capture_output=True, text=True).stdout))
    assert read_findings(tmp_path).stage == "done"
    assert {"serving", "tensorflow"} <= loaded
    ours, others = {"components", "pipeline", "trainer"}, {"apache_beam", "tensorflow_data_validation"}
    others |= {"tensorflow_model_analysis", "tensorflow_transform", "tfx", "tfx_bsl", "tf_keras", "tensorflow_text"}
    assert loaded & (ours | others) == set()


def test_the_process_ends_with_the_one_that_started_it(tmp_path: Path, good_model: Path) -> None:
    command = [sys.executable, "-m", "serving.check", str(good_model), str(tmp_path / "rows"), str(tmp_path)]
    assert subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE).stderr == b""
    assert list(tmp_path.iterdir()) == []


def test_only_failures_of_the_same_model_are_tried_again(tmp_path: Path) -> None:
    handle = metadata.Metadata(metadata.sqlite_metadata_connection_config(str(tmp_path / "metadata.db")))
    model = standard_artifacts.Model()
    model.id = 17

    def failures() -> Any:
        info = ExecutionInfo(input_dict={"model": [model]}, exec_properties={})
        return Driver(handle).run(info).exec_properties[FAILURES].int_value

    assert failures() == 0
    for model_id, blessed in ((17, 1), (16, 0), (17, 0)):
        with handle as connection:
            kind = connection.store.put_artifact_type(pb.ArtifactType(name="InfraBlessing"))
            blessing = pb.Artifact(type_id=kind)
            blessing.custom_properties["current_model_id"].int_value = model_id
            blessing.custom_properties["blessed"].int_value = blessed
            connection.store.put_artifacts([blessing])
        assert failures() == int((model_id, blessed) == (17, 0))
