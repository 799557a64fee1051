"""A few rounds of `make chaos`, and that it sees what it looks for."""

from pathlib import Path
from random import Random

import pytest

from components.pusher.versions import versions
from tests.chaos import pushes
from tests.chaos.finding import Finding

pytestmark = pytest.mark.slow


def test_killed_pushes(tmp_path: Path) -> None:
    finding = pushes.kills(tmp_path, 12, Random(1))
    assert (finding.details, finding.rounds) == ([], 12)
    assert finding.ends["killed"] > 0


def test_full_disks(tmp_path: Path) -> None:
    finding = pushes.full_disks(tmp_path, 12, Random(1))
    assert (finding.details, finding.rounds) == ([], 12)
    assert finding.ends["refused"] > 0


def test_pushes_at_the_same_time(tmp_path: Path) -> None:
    finding = pushes.concurrent(tmp_path, 1, Random(1))
    assert (finding.details, finding.ends.total()) == ([], 6)
    assert finding.more["versions read"] > 0


def test_half_a_version_is_seen(tmp_path: Path) -> None:
    place = pushes.Folder(tmp_path)
    newest = versions(place.base)[-1]
    (place.base / str(newest) / "variables/3").unlink()
    finding = Finding("half a version")
    pushes._check(finding, place)
    assert finding.violations == {"half": 1}
    assert finding.details == [f"half a version: half a version was visible: version {newest}"]
