"""Where Kubeflow Pipelines is, and what proves who asks."""

from pathlib import Path

import pytest

from janus_core.errors import ConfigError
from pipeline.kubeflow.access import Access, access_of


def test_the_token_comes_from_the_variable_or_a_file_and_is_never_shown(tmp_path: Path) -> None:
    environment = {"JANUS_KFP_TOKEN": "from-the-variable\n"}
    access = access_of("https://kubeflow.example/pipeline/", environment=environment)
    assert (access.host, access.token) == ("https://kubeflow.example/pipeline", "from-the-variable")
    (tmp_path / "token").write_text("from-the-file\n")
    access = access_of("http://localhost:8888", tmp_path / "token", environment=environment)
    assert access.token == "from-the-file"
    assert "from-the-file" not in repr(access)
    assert access_of("http://localhost:8888", environment={}).token is None
    assert access_of(None, kube_context="cluster", environment=environment) == Access(None, None, "cluster")


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("kubeflow.example", "has no scheme: write https://kubeflow.example"),
        ("localhost:8888", "has no scheme: write https://localhost:8888"),
        ("ftp://kubeflow.example", "has no scheme"),
        ("https://", "names no host"),
        ("https://kubeflow.example:port", "is no URL"),
        ("https://[kubeflow", "is no URL"),
        ("https://kubeflow.example/#/pipelines", "is a page of the user interface"),
        ("https://kubeflow.example/?ns=team", "is a page of the user interface"),
    ],
)
def test_a_host_that_is_none(host: str, words: str) -> None:
    with pytest.raises(ConfigError, match="--host") as error:
        access_of(host, environment={})
    assert words in str(error.value)


def test_a_password_in_the_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError, match="leave user and password out") as error:
        access_of("https://janus:word@kubeflow.example", environment={})
    assert "word@" not in str(error.value)


def test_one_installation_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="give --host URL, or --kube-context"):
        access_of(None, environment={})
    with pytest.raises(ConfigError, match="one of the two"):
        access_of("https://kubeflow.example", kube_context="cluster", environment={})
    with pytest.raises(ConfigError, match="there is no such file"):
        access_of("https://kubeflow.example", ca_file=tmp_path / "ca.pem", environment={})


def test_a_token_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "token"
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        access_of("https://kubeflow.example", path, environment={})
    path.write_text("\n")
    with pytest.raises(ConfigError, match="is empty"):
        access_of("https://kubeflow.example", path, environment={})
    path.write_text("first\nsecond\n")
    with pytest.raises(ConfigError, match="holds more than a token") as error:
        access_of("https://kubeflow.example", path, environment={})
    assert "first" not in str(error.value)
