"""The executor and the driver, as TFX calls them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tfx.orchestration.portable.data_types import ExecutionInfo
from tfx.types import Channel, standard_artifacts

from components.pusher.checked import record_checked
from components.pusher.component import Driver, Pusher
from components.pusher.executor import VERSION, Executor, base_directory
from components.pusher.lock import LOCK_FILE
from components.pusher.rollback import CONTENT_DIGEST, WITHDRAWN_AT, roll_back, withdrawal_notice
from components.pusher.storage import content_digest
from components.pusher.versions import versions
from janus_core.errors import ServingError
from janus_core.manifest import manifest_of


def inputs(folder: Path, blessed: bool, content: str = "a model") -> dict[str, list[Any]]:
    model = standard_artifacts.Model()
    model.uri = str(folder / "model")
    saved = folder / "model" / "Format-Serving"
    saved.mkdir(parents=True, exist_ok=True)
    (saved / "saved_model.pb").write_text(content)
    blessing = standard_artifacts.ModelBlessing()
    blessing.uri = str(folder / f"blessing-{blessed}")
    Path(blessing.uri).mkdir(exist_ok=True)
    (Path(blessing.uri) / ("BLESSED" if blessed else "NOT_BLESSED")).touch()
    blessing.set_int_custom_property("blessed", int(blessed))
    return {"model": [model], "model_blessing": [blessing]}


def properties(base: Path) -> dict[str, Any]:
    component = Pusher(
        model=Channel(type=standard_artifacts.Model),
        model_blessing=Channel(type=standard_artifacts.ModelBlessing),
        base_directory=str(base),
        keep=2,
    )
    return dict(component.exec_properties)


def push(folder: Path, base: Path, given: dict[str, list[Any]]) -> Any:
    """Driver, then executor; returns the PushedModel artifact."""
    exec_properties = properties(base)
    output = Driver(None).run(ExecutionInfo(input_dict=given, exec_properties=exec_properties))
    exec_properties[VERSION] = output.exec_properties[VERSION].int_value
    if WITHDRAWN_AT in output.exec_properties:
        exec_properties[WITHDRAWN_AT] = output.exec_properties[WITHDRAWN_AT].string_value
    pushed = standard_artifacts.PushedModel()
    pushed.uri = str(folder / f"pushed-{exec_properties[VERSION]}")
    Executor().Do(given, {"pushed_model": [pushed]}, exec_properties)
    return pushed


def run(folder: Path, base: Path, blessed: bool, content: str = "a model") -> Any:
    return push(folder, base, inputs(folder, blessed, content))


def told(pushed: Any) -> dict[str, str]:
    return {name: pushed.get_string_custom_property(name) for name in (CONTENT_DIGEST, WITHDRAWN_AT)}


def test_a_blessed_model_is_pushed(tmp_path: Path) -> None:
    base = tmp_path / "serving"
    pushed = run(tmp_path, base, blessed=True)
    version = pushed.get_string_custom_property("pushed_version")
    assert pushed.get_int_custom_property("pushed") == 1
    assert pushed.get_string_custom_property("pushed_destination") == str(base / version)
    assert (base / version / "saved_model.pb").read_text() == "a model"
    assert (Path(pushed.uri) / "saved_model.pb").exists()


def test_a_model_that_is_not_blessed_is_not(tmp_path: Path) -> None:
    pushed = run(tmp_path, tmp_path / "serving", blessed=False)
    assert pushed.get_int_custom_property("pushed") == 0
    assert not (tmp_path / "serving").exists()


def test_the_version_stays_while_the_model_is_served(tmp_path: Path) -> None:
    base = tmp_path / "serving"
    first = run(tmp_path, base, blessed=True).get_string_custom_property("pushed_version")
    assert run(tmp_path, base, blessed=True).get_string_custom_property("pushed_version") == first
    (base / first).rename(base / ".staging-of-a-killed-push")
    run(tmp_path, base, blessed=True)
    (version,) = {path.name for path in base.iterdir()} - {LOCK_FILE}
    assert version.isdigit()


def test_a_folder_that_cannot_be_written_fails(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        run(tmp_path, tmp_path / "file" / "serving", blessed=True)


def test_a_withdrawn_model_is_not_pushed_again_until_it_is_brought_back(tmp_path: Path) -> None:
    base = tmp_path / "serving"
    run(tmp_path, base, True, "good")
    bad = int(run(tmp_path, base, True, "bad").get_string_custom_property("pushed_version"))
    done = roll_back(base, check=lambda path: None)
    again = run(tmp_path, base, True, "bad")
    assert again.get_int_custom_property("pushed") == 0
    assert again.get_string_custom_property(WITHDRAWN_AT) == done.time
    assert versions(base)[-1] == done.new_version
    notice = withdrawal_notice(base, told(again))
    assert notice
    assert f"withdrawn by a rollback at {done.time}: not pushed; `janus rollback CONFIG --to {bad} --force`" in notice
    back = roll_back(base, check=lambda path: None, to=bad, force=True)
    pushed = run(tmp_path, base, True, "bad")
    assert pushed.get_int_custom_property("pushed") == 1
    assert pushed.get_string_custom_property("pushed_version") == str(back.new_version)
    assert withdrawal_notice(base, told(pushed)) is None


def test_a_withdrawn_model_whose_version_is_gone_is_told_otherwise(tmp_path: Path) -> None:
    base = tmp_path / "serving"
    for content in ("good", "bad"):
        run(tmp_path, base, True, content)
    roll_back(base, check=lambda path: None)
    again = run(tmp_path, base, True, "bad")
    for content in ("better", "best", "very best"):
        run(tmp_path, base, True, content)
    notice = withdrawal_notice(base, told(again))
    assert notice
    assert ".rollbacks.jsonl" in notice


def test_a_rollback_between_driver_and_executor_counts(tmp_path: Path) -> None:
    base = tmp_path / "serving"
    for content in ("good", "bad"):
        run(tmp_path, base, True, content)
    given, exec_properties = inputs(tmp_path, True, "bad"), properties(base)
    output = Driver(None).run(ExecutionInfo(input_dict=given, exec_properties=exec_properties))
    exec_properties[VERSION] = output.exec_properties[VERSION].int_value
    assert exec_properties[VERSION] == versions(base)[-1]
    done = roll_back(base, check=lambda path: None)
    pushed = standard_artifacts.PushedModel()
    pushed.uri = str(tmp_path / "pushed")
    Executor().Do(given, {"pushed_model": [pushed]}, exec_properties)
    assert pushed.get_int_custom_property("pushed") == 0
    assert pushed.get_string_custom_property(WITHDRAWN_AT) == done.time


def infra_blessing(folder: Path, blessed: bool, stamped: bool) -> Any:
    artifact = standard_artifacts.InfraBlessing()
    artifact.uri = str(folder / "infra")
    artifact.set_int_custom_property("blessed", int(blessed))
    (folder / "infra" / "stamped_model").mkdir(parents=True, exist_ok=True)
    model = folder / "model" / "Format-Serving"
    if stamped:
        artifact.set_int_custom_property("has_model", 1)
        model = folder / "infra" / "stamped_model"
        (model / "saved_model.pb").write_text("a stamped model")
    record_checked(artifact, manifest_of(model), model)
    return artifact


@pytest.mark.parametrize("with_model", [True, False])
def test_a_stamped_model_is_pushed_instead(tmp_path: Path, with_model: bool) -> None:
    base, given = tmp_path / "serving", inputs(tmp_path, True)
    given["infra_blessing"] = [infra_blessing(tmp_path, blessed=True, stamped=True)]
    if not with_model:
        del given["model"]
    pushed = push(tmp_path, base, given)
    version = pushed.get_string_custom_property("pushed_version")
    assert (base / version / "saved_model.pb").read_text() == "a stamped model"
    assert pushed.get_string_custom_property(CONTENT_DIGEST) == content_digest(tmp_path / "infra" / "stamped_model")
    assert push(tmp_path, base, given).get_string_custom_property("pushed_version") == version


def test_without_a_stamped_copy_the_model_itself_is_pushed(tmp_path: Path) -> None:
    base, given = tmp_path / "serving", inputs(tmp_path, True)
    given["infra_blessing"] = [infra_blessing(tmp_path, blessed=True, stamped=False)]
    version = push(tmp_path, base, given).get_string_custom_property("pushed_version")
    assert (base / version / "saved_model.pb").read_text() == "a model"


def test_a_model_that_did_not_answer_is_not_pushed(tmp_path: Path) -> None:
    base, given = tmp_path / "serving", inputs(tmp_path, True)
    given["infra_blessing"] = [infra_blessing(tmp_path, blessed=False, stamped=True)]
    assert push(tmp_path, base, given).get_int_custom_property("pushed") == 0
    assert not base.exists()


def flip(file: Path) -> None:
    file.write_bytes(bytes([file.read_bytes()[0] ^ 1]) + file.read_bytes()[1:])


@pytest.mark.parametrize("stamped", [True, False])
@pytest.mark.parametrize(
    ("damage", "how"),
    [
        (flip, "has different content"),
        (lambda file: file.write_text("short"), r"has 5 bytes instead of \d+"),
        (Path.unlink, "is missing"),
        (lambda file: (file.parent / "aa").touch(), "was added"),
        (lambda file: file.parent.rename(file.parents[1] / "moved"), "is missing"),
    ],
    ids=["flipped", "truncated", "removed", "added", "folder removed"],
)
def test_a_model_that_changed_after_its_check_is_not_pushed(
    tmp_path: Path, damage: Callable[[Path], Any], how: str, stamped: bool
) -> None:
    base, given = tmp_path / "serving", inputs(tmp_path, True)
    given["infra_blessing"] = [infra_blessing(tmp_path, blessed=True, stamped=stamped)]
    model = tmp_path / ("infra/stamped_model" if stamped else "model/Format-Serving")
    damage(model / "saved_model.pb")
    with pytest.raises(ServingError, match=rf"{model}/\S+ {how}: .* passed the serving check, so nothing was pushed"):
        push(tmp_path, base, given)
    assert not base.exists()


def test_a_model_that_changes_while_it_is_pushed_is_not(tmp_path: Path) -> None:
    base, given = tmp_path / "serving", inputs(tmp_path, True)
    given["infra_blessing"] = [infra_blessing(tmp_path, blessed=True, stamped=True)]
    exec_properties = properties(base)
    output = Driver(None).run(ExecutionInfo(input_dict=given, exec_properties=exec_properties))
    exec_properties[VERSION] = output.exec_properties[VERSION].int_value
    flip(tmp_path / "infra" / "stamped_model" / "saved_model.pb")
    pushed = standard_artifacts.PushedModel()
    pushed.uri = str(tmp_path / "pushed")
    with pytest.raises(ServingError, match=r"stamped_model/saved_model\.pb has different content"):
        Executor().Do(given, {"pushed_model": [pushed]}, exec_properties)
    assert {path.name for path in base.iterdir()} == {LOCK_FILE}


def test_the_component_takes_an_infra_blessing() -> None:
    component = Pusher(
        model=None,
        model_blessing=Channel(type=standard_artifacts.ModelBlessing),
        base_directory="gs://bucket/models",
        keep=2,
        infra_blessing=Channel(type=standard_artifacts.InfraBlessing),
        labels={"stable": 17},
    )
    assert json.loads(component.exec_properties["custom_config"]) == {
        "keep": 2, "wait_seconds": 300.0, "lease_seconds": 3600.0, "labels": {"stable": 17},
    }  # fmt: skip
    assert set(component.inputs) == {"model_blessing", "infra_blessing"}
    assert base_directory(component.exec_properties) == "gs://bucket/models"
