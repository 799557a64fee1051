"""What is left out where a program is missing, and that it says so."""

from pathlib import Path

import pytest

from tests.tools import BROWSERS, left_out

pytest_plugins = ["pytester"]


def summary(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, ci: str) -> str:
    """Of a run with this project's conftest.py, on a machine without any of the programs."""
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("PATH", str(pytester.path))
    pytester.makeconftest((Path(__file__).parent / "conftest.py").read_text())
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def browser():
            raise AssertionError("not started where there is none")

        @pytest.mark.parametrize("number", range(3))
        def test_of_a_page(browser, number):
            pass

        @pytest.mark.needs("kubectl")
        def test_of_kubectl():
            pass

        def test_of_nothing():
            pass
        """
    )
    return str(pytester.runpytest("-ra", "-p", "no:cacheprovider").stdout)


@pytest.mark.slow
def test_a_missing_program_leaves_its_tests_out_with_one_line(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = summary(pytester, monkeypatch, "")
    assert "1 passed, 4 skipped" in text
    (line,) = (line for line in text.splitlines() if "chromium" in line)
    assert line.startswith("SKIPPED [3]")
    assert line.endswith(left_out("chromium") or "")
    assert "apt-get install --no-install-recommends chromium" in line


def test_in_ci_what_it_installs_must_be_there(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    text = summary(pytester, monkeypatch, "true")
    assert "1 passed, 1 skipped" in text
    assert "3 errors" in text
    assert "CI=true, but chromium was not found" in text


def test_a_program_that_is_there_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert left_out("chromium") is not None
    (tmp_path / BROWSERS[-1]).touch(0o755)
    assert left_out("chromium") is None
