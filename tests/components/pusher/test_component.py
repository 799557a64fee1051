"""The executor and the driver, as TFX calls them."""

from pathlib import Path
from typing import Any

import pytest
from tfx.orchestration.portable.data_types import ExecutionInfo
from tfx.types import Channel, standard_artifacts

from components.pusher.component import Pusher
from components.pusher.driver import Driver
from components.pusher.executor import VERSION, Executor


def inputs(folder: Path, blessed: bool) -> dict[str, list[Any]]:
    model = standard_artifacts.Model()
    model.uri = str(folder / "model")
    saved = folder / "model" / "Format-Serving"
    saved.mkdir(parents=True, exist_ok=True)
    (saved / "saved_model.pb").write_text("a model")
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


def run(folder: Path, base: Path, blessed: bool) -> Any:
    """Driver, then executor; returns the PushedModel artifact."""
    given, exec_properties = inputs(folder, blessed), properties(base)
    output = Driver(None).run(ExecutionInfo(input_dict=given, exec_properties=exec_properties))
    exec_properties[VERSION] = output.exec_properties[VERSION].int_value
    pushed = standard_artifacts.PushedModel()
    pushed.uri = str(folder / f"pushed-{exec_properties[VERSION]}")
    Executor().Do(given, {"pushed_model": [pushed]}, exec_properties)
    return pushed


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
    assert [path.name.isdigit() for path in base.iterdir()] == [True]


def test_a_folder_that_cannot_be_written_fails(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        run(tmp_path, tmp_path / "file" / "serving", blessed=True)
