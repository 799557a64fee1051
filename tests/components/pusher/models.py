"""Something like SavedModels, which differ by their content."""

from pathlib import Path


def write_model(folder: Path, content: str) -> Path:
    """Writes a model below a folder, one per content."""
    model = folder / content
    (model / "variables").mkdir(parents=True, exist_ok=True)
    (model / "saved_model.pb").write_text(content)
    (model / "variables" / "variables.index").write_text(content * 100)
    (model / "assets.extra").mkdir(exist_ok=True)
    (model / "assets.extra" / "tf_serving_warmup_requests").write_text("warm up")
    return model


def accept(path: str) -> None:
    """A check that finds nothing."""
    assert (Path(path) / "saved_model.pb").is_file()
