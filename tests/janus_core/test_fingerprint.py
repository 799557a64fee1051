"""Of each node: an edit of any module that it runs is seen, wherever the module lies."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from components.anomaly_gate.component import AnomalyGate
from components.baselines.component import Baselines
from components.baselines.executor import FITTING_PROCESS
from components.evaluator.component import ENGINES
from components.example_gen.component import ArrowExampleGen
from components.serving_check.component import CHECKING_PROCESS, ServingCheck
from components.statistics_gen.component import ArrowStatisticsGen
from components.transform.component import ArrowTransform
from components.tuner.component import ParallelTuner
from janus_core import fingerprint
from janus_core.fingerprint import (
    digest_of_json,
    folder_fingerprint,
    import_closure,
    modules_in,
    node_modules,
    source_fingerprint,
)
from janus_core.packages import PACKAGES, ROOT
from tests.project import copy_sources

NODES = {
    "ExampleGen": node_modules(ArrowExampleGen),
    "StatisticsGen": node_modules(ArrowStatisticsGen),
    "AnomalyGate": node_modules(AnomalyGate),
    "Transform": [*node_modules(ArrowTransform), "trainer.preprocessing"],
    "Baselines": [*node_modules(Baselines), FITTING_PROCESS],
    "Tuner": ["trainer.tune", *node_modules(ParallelTuner)],
    "Trainer": ["trainer.run"],
    "Evaluator": [*node_modules(ENGINES["batch"]), *modules_in("components.metrics")],
    "ServingCheck": [*node_modules(ServingCheck), CHECKING_PROCESS],
}
# Modules of each node that lie in another package than its executor, and what it does not run.
EDITS = {
    "ExampleGen": (
        ["janus_core/examples/threads.py", "janus_core/errors.py", "janus_core/strict.py"],
        "trainer/run.py",
    ),
    "StatisticsGen": (["janus_core/examples/encode.py", "janus_core/examples/shards.py"], "trainer/run.py"),
    "AnomalyGate": (["janus_core/errors.py", "components/anomaly_gate/checks.py"], "trainer/run.py"),
    "Transform": (["janus_core/examples/records.py", "trainer/encoders/vector.py"], "trainer/run.py"),
    "Baselines": (["components/baselines/models.py", "trainer/label_statistics.py"], "trainer/run.py"),
    "Tuner": (["components/tuner/parallel.py", "trainer/trunks/experts.py"], "pipeline/dag.py"),
    "Trainer": (["serving/description.py", "trainer/trunks/experts.py", "janus_core/strict.py"], "pipeline/dag.py"),
    "Evaluator": (["components/metrics/classification.py", "components/metrics/curves.py"], "trainer/run.py"),
    "ServingCheck": (
        ["serving/check/trial.py", "janus_core/examples/records.py"],
        "trainer/run.py",
    ),
}

Sources = Callable[[str, str], None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sources:
    """Writes a module of a project of its own, of the packages `trainer` and `serving`."""
    monkeypatch.setattr(fingerprint, "ROOT", tmp_path)

    def write_(name: str, text: str) -> None:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    write_("trainer/__init__.py", "")
    write_("serving/__init__.py", "")
    return write_


def test_a_node_runs_its_executor_and_its_driver() -> None:
    assert NODES["ExampleGen"] == ["components.example_gen.executor", "components.example_gen.driver"]
    assert NODES["StatisticsGen"] == ["components.statistics_gen.executor"], "its driver is TFX's"


@pytest.mark.parametrize("node", NODES)
def test_an_edit_of_any_module_that_a_node_runs_is_seen(
    node: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = source_fingerprint(*NODES[node])
    copy_sources(tmp_path, *PACKAGES)
    monkeypatch.setattr(fingerprint, "ROOT", tmp_path)
    assert source_fingerprint(*NODES[node]) == before, "the folder counts"
    edited, other = EDITS[node]
    for name in edited:
        with (tmp_path / name).open("a") as file:
            file.write("# edited\n")
        after = source_fingerprint(*NODES[node])
        assert after != before, name
        before = after
    with (tmp_path / other).open("a") as file:
        file.write("# edited\n")
    assert source_fingerprint(*NODES[node]) == before


@pytest.mark.slow
def test_whatever_is_imported_is_in_the_closure() -> None:
    modules = sorted({module for names in NODES.values() for module in names if not module.endswith("__main__")})
    code = (
        f"import sys; {'; '.join(f'import {module}' for module in modules)}\n"
        "print(*(module.__file__ for name, module in sys.modules.items()"
        f" if name.partition('.')[0] in {PACKAGES} and getattr(module, '__file__', None)))"
    )
    printed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    imported = {Path(file) for file in printed.split("\n")[-2].split()}
    assert ROOT / "janus_core/examples/threads.py" in imported
    assert imported <= import_closure(*modules)


@pytest.mark.parametrize(
    "text",
    [
        "import serving.used",
        "from serving import used",
        "from serving.used import anything",
        "def later():\n    from serving import used",
        "try:\n    import serving.used as other\nexcept ImportError:\n    pass",
    ],
)
def test_every_form_of_import_counts(write: Sources, text: str) -> None:
    write("trainer/run.py", text)
    write("serving/used.py", "1")
    before = source_fingerprint("trainer.run")
    write("serving/used.py", "22")
    assert source_fingerprint("trainer.run") != before


def test_relative_imports_and_circles(write: Sources, tmp_path: Path) -> None:
    write("trainer/run.py", "from . import a\nfrom .config import b")
    write("trainer/a.py", "import trainer.run")
    write("trainer/config/__init__.py", "from ..c import x")
    write("trainer/config/b.py", "")
    write("trainer/c.py", "")
    names = {path.relative_to(tmp_path / "trainer").as_posix() for path in import_closure("trainer.run")}
    assert names == {"__init__.py", "run.py", "a.py", "config/__init__.py", "config/b.py", "c.py"}


def test_what_only_a_type_checker_imports_does_not_count(write: Sources, tmp_path: Path) -> None:
    write("trainer/run.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import serving.unused\n")
    write("serving/unused.py", "")
    assert tmp_path / "serving/unused.py" not in import_closure("trainer.run")


def test_a_module_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ModuleNotFoundError, match="there is no module trainer.nothing"):
        source_fingerprint("trainer.nothing")


def test_modules_of_a_package() -> None:
    assert "components.metrics.curves" in modules_in("components.metrics")
    assert "components.metrics" not in modules_in("components.metrics")


def test_a_digest_is_of_all_values_whatever_their_order() -> None:
    base = {"trainer": "{}", "repetition": 0, "code": "a"}
    digests = {digest_of_json(content) for content in (base, {**base, "repetition": 1}, {**base, "code": "b"})}
    assert len(digests) == 3
    assert digest_of_json(dict(reversed(base.items()))) == digest_of_json(base)


def test_a_folders_fingerprint_sees_names_and_content(tmp_path: Path) -> None:
    package = tmp_path / "p"
    package.mkdir()
    (package / "a.py").write_text("1")
    first = folder_fingerprint(package)
    (package / "notes.txt").write_text("not a source")
    assert folder_fingerprint(package) == first
    (package / "b.py").write_text("")
    second = folder_fingerprint(package)
    (package / "b.py").rename(package / "c.py")
    assert len({first, second, folder_fingerprint(package)}) == 3
