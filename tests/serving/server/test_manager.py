"""Which versions are loaded, when, and what becomes of requests meanwhile."""

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from serving.errors import Code, RequestError
from serving.server.manager import ModelManager, ServedVersion, State, VersionStatus
from tests.serving.server.requests import predict_request
from tests.serving.server.waiting import until_available

Publish = Callable[..., Path]


def states(manager: ModelManager) -> dict[int, str]:
    return {status.version: status.state.value for status in manager.statuses()}


def delay(served: ServedVersion) -> float:
    inputs = {"distance": np.float32([0]), "carrier": np.array([b""], object), "stops": np.float64([0])}
    return float(served.model.run("serving_columns", inputs, ["delay"])["delay"][0, 0])


def newest(manager: ModelManager) -> int:
    with manager.use() as served:
        return served.version


def break_model(path: Path) -> None:
    (path / "saved_model.pb").write_bytes(b"\xff")


def test_the_newest_complete_version_is_served(publish: Publish, tmp_path: Path) -> None:
    publish(tmp_path, 9)
    publish(tmp_path, 10, 5)
    for name in (".staging-11", "12-copy", "x13", "-14"):
        shutil.copytree(tmp_path / "9", tmp_path / name)
    (tmp_path / "15").mkdir()
    (tmp_path / "16").write_text("no folder", encoding="utf-8")
    manager = ModelManager("tiny", tmp_path)
    manager.poll()
    assert states(manager) == {10: "AVAILABLE"}
    with manager.use() as served:
        assert (served.version, served.path, delay(served)) == (10, tmp_path / "10", 5.0)
    with pytest.raises(RequestError, match=r"^Servable not found for request: Specific\(tiny, 9\)$") as error:
        manager.use(9).__enter__()
    assert error.value.code == Code.NOT_FOUND
    manager.close()


@pytest.mark.parametrize(
    ("name", "is_folder", "newer"),
    [
        ("10", True, True),
        ("+11", True, True),
        ("012", False, True),
        ("8", True, False),
        ("-14", True, False),
        ("10-copy", True, False),
        (".staging-11", True, False),
        ("9" * 20, True, False),
    ],
)
def test_a_newest_version_that_tensorflow_serving_could_not_load_is_reported(
    publish: Publish, tmp_path: Path, name: str, is_folder: bool, newer: bool
) -> None:
    publish(tmp_path, 9)
    path = tmp_path / name
    if is_folder:
        path.mkdir()
    else:
        path.touch()
    warnings: list[str] = []
    manager = ModelManager("tiny", tmp_path, warn=warnings.append)
    manager.poll()
    manager.poll()
    assert newest(manager) == 9
    assert [text.partition(" has no saved_model.pb. ")[0] for text in warnings] == [f"warning: {path}"] * newer
    manager.close()


def test_without_a_version_nothing_is_found(tmp_path: Path) -> None:
    manager = ModelManager("tiny", tmp_path / "none")
    manager.poll()
    assert (manager.statuses(), manager.available) == ([], False)
    with pytest.raises(RequestError, match=r"^Servable not found for request: Latest\(tiny\)$"):
        manager.use().__enter__()
    manager.close()


def test_the_old_version_is_closed_when_its_last_request_has_ended(publish: Publish, tmp_path: Path) -> None:
    publish(tmp_path, 1, 0)
    manager = ModelManager("tiny", tmp_path)
    manager.poll()
    with manager.use() as first:
        with manager.use() as second:
            publish(tmp_path, 2, 5)
            manager.poll()
            assert states(manager) == {2: "AVAILABLE", 1: "UNLOADING"}
            assert newest(manager) == 2
            assert delay(second) == 0.0
        assert states(manager)[1] == "UNLOADING"
        assert delay(first) == 0.0
    assert states(manager) == {2: "AVAILABLE", 1: "END"}
    manager.close()
    assert states(manager) == {2: "END", 1: "END"}


def test_a_version_that_cannot_be_loaded_displaces_nothing(publish: Publish, tmp_path: Path) -> None:
    publish(tmp_path, 1)
    changes: list[VersionStatus] = []
    manager = ModelManager("tiny", tmp_path, on_change=changes.append)
    manager.poll()
    break_model(publish(tmp_path, 2))
    for _ in range(3):
        manager.poll()
    newer, older = manager.statuses()
    assert (newer.version, newer.state, older.version, older.state) == (2, State.END, 1, State.AVAILABLE)
    assert newer.code != 0
    assert newer.error
    assert newest(manager) == 1
    assert [change.state for change in changes if change.version == 2] == ["START", "LOADING", "END"]

    shutil.rmtree(tmp_path / "2")
    publish(tmp_path, 2)
    manager.poll()
    assert states(manager) == {2: "AVAILABLE", 1: "END"}
    manager.close()


def test_a_removed_version_is_unloaded(publish: Publish, tmp_path: Path) -> None:
    publish(tmp_path, 1)
    publish(tmp_path, 2)
    manager = ModelManager("tiny", tmp_path)
    manager.poll()
    shutil.rmtree(tmp_path / "2")
    manager.poll()
    assert states(manager) == {2: "END", 1: "AVAILABLE"}
    shutil.rmtree(tmp_path / "1")
    manager.poll()
    assert states(manager) == {2: "END", 1: "END"}
    assert not manager.available
    manager.close()


def test_a_base_path_that_is_away_takes_nothing_away(publish: Publish, tmp_path: Path) -> None:
    base = tmp_path / "base"
    publish(base, 1)
    manager = ModelManager("tiny", base)
    manager.poll()
    base.rename(tmp_path / "elsewhere")
    manager.poll()
    assert newest(manager) == 1
    manager.close()


def test_versions_with_a_label_stay_loaded(publish: Publish, tmp_path: Path) -> None:
    for version in (1, 2, 3):
        publish(tmp_path, version, version)
    manager = ModelManager("tiny", tmp_path, labels={"stable": 1, "canary": 9})
    manager.poll()
    assert states(manager) == {3: "AVAILABLE", 1: "AVAILABLE"}
    with manager.use(manager.version_of("stable")) as served:
        assert (served.version, delay(served)) == (1, 1.0)
    assert newest(manager) == 3
    with pytest.raises(RequestError, match=r"Specific\(tiny, 9\)"):
        manager.use(manager.version_of("canary")).__enter__()
    with pytest.raises(RequestError, match="^Unrecognized servable version label: other$") as error:
        manager.use(manager.version_of("other")).__enter__()
    assert error.value.code == Code.INVALID_ARGUMENT
    publish(tmp_path, 9, 9)
    manager.poll()
    assert states(manager) == {9: "AVAILABLE", 3: "END", 1: "AVAILABLE"}
    manager.close()


def test_a_broken_newest_version_leaves_the_one_before_though_it_has_no_label(publish: Publish, tmp_path: Path) -> None:
    publish(tmp_path, 1)
    publish(tmp_path, 2)
    manager = ModelManager("tiny", tmp_path, labels={"stable": 1})
    manager.poll()
    break_model(publish(tmp_path, 3))
    manager.poll()
    assert states(manager) == {3: "END", 2: "AVAILABLE", 1: "AVAILABLE"}
    manager.close()


def write_warmup(model: Path, signature: str) -> None:
    request = predict_request(signature, {"distance": np.float32([1]), "carrier": [b"A"], "stops": np.float64([0])})
    record = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
    (model / "assets.extra").mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(model / "assets.extra" / "tf_serving_warmup_requests")) as writer:
        writer.write(record.SerializeToString())


def test_warmup_requests_are_answered_before_a_version_is_available(
    publish: Publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import serving.warmup

    write_warmup(publish(tmp_path, 1), "serving_columns")
    manager = ModelManager("tiny", tmp_path)
    seen: list[tuple[str, bool]] = []
    replay = serving.warmup.replay

    def observed(model: object, log: prediction_log_pb2.PredictionLog) -> None:
        replay(model, log)
        seen.append((log.predict_log.request.model_spec.signature_name, manager.available))

    monkeypatch.setattr(serving.warmup, "replay", observed)
    manager.poll()
    assert seen == [("serving_columns", False)]
    assert states(manager) == {1: "AVAILABLE"}
    manager.close()


def test_a_version_whose_warmup_fails_is_not_served(publish: Publish, tmp_path: Path) -> None:
    publish(tmp_path, 1)
    write_warmup(publish(tmp_path, 2), "none")
    manager = ModelManager("tiny", tmp_path, labels={"stable": 1})
    manager.poll()
    newer, older = manager.statuses()
    assert (newer.state, older.state) == (State.END, State.AVAILABLE)
    assert "none" in newer.error
    manager.close()


def test_the_thread_finds_new_versions_by_itself(publish: Publish, tmp_path: Path) -> None:
    manager = ModelManager("tiny", tmp_path, poll_seconds=0.02)
    manager.start()
    with closing(manager):
        publish(tmp_path, 1)
        until_available(manager, 1)
        publish(tmp_path, 2)
        until_available(manager, 2)
        assert newest(manager) == 2
    assert states(manager) == {2: "END", 1: "END"}
