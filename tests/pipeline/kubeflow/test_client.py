"""The client against a server that checks its requests: what is sent, what goes wrong, what is asked again."""

import base64
import json
from datetime import timedelta
from pathlib import Path

import pytest

from janus_core.errors import ConfigError, JanusError
from pipeline.kubeflow.access import Access
from pipeline.kubeflow.api_errors import RefusedError, UnansweredError
from pipeline.kubeflow.client import Client, connect, create_run
from pipeline.kubeflow.submission import Submission, run_body, upload
from tests.pipeline.kubeflow.conftest import WAITS, connect_to
from tests.pipeline.kubeflow.kfp_server import PREFIX, Fault, State, running

UPLOAD = f"{PREFIX}/pipelines/upload_version"


def test_pipeline_version_experiment_and_run(kfp: State, client: Client, submission: Submission) -> None:
    ids = upload(client, submission)
    run_id = create_run(client, run_body(submission, "small 1", ids))
    assert kfp.only("pipelines")["display_name"] == "small"
    assert kfp.only("experiments")["display_name"] == "janus"
    version = kfp.only("versions")
    assert (version["display_name"], version["pipeline_id"]) == (submission.version, ids.pipeline)
    (uploaded,) = kfp.asked("POST", UPLOAD)
    assert uploaded.body["uploadfile"] == submission.yaml.read_bytes()
    assert submission.digest in uploaded.query["description"]
    (started,) = kfp.asked("POST", f"{PREFIX}/runs")
    assert started.body == {
        "display_name": "small 1",
        "experiment_id": ids.experiment,
        "pipeline_version_reference": {"pipeline_id": ids.pipeline, "pipeline_version_id": ids.version},
        "runtime_config": {"parameters": {"epochs": 3}, "pipeline_root": "gs://bucket/root"},
        "service_account": "trains",
    }
    assert list(kfp.runs) == [run_id]


def test_what_is_there_is_not_made_again(kfp: State, client: Client, submission: Submission) -> None:
    first = upload(client, submission)
    assert upload(client, submission) == first
    assert len(kfp.asked("POST", ".*")) == 3


def test_a_name_that_differs_in_case_and_other_pages(kfp: State, client: Client, submission: Submission) -> None:
    kfp.page_size = 1
    for number, name in enumerate(("Small", "SMALL", "other")):
        kfp.pipelines[f"p{number}"] = {
            "pipeline_id": f"p{number}", "display_name": name, "created_at": f"2026-01-0{number + 1}T00:00:00Z",
        }  # fmt: skip
    first = upload(client, submission)
    assert kfp.pipelines[first.pipeline]["display_name"] == "small"
    assert upload(client, submission) == first


def test_a_multi_user_installation(submission: Submission) -> None:
    with running(State(multi_user=True, token="word")) as kfp:
        with pytest.raises(ConfigError, match=r"multi-user installation: set kubeflow\.namespace"):
            connect_to(kfp, token="word")
        upload(connect_to(kfp, "team", "word"), submission)
        assert kfp.only("pipelines")["namespace"] == kfp.only("experiments")["namespace"] == "team"
        assert {request.headers["authorization"] for request in kfp.requests} == {"Bearer word"}


def test_a_namespace_is_not_named_to_a_single_user_installation(kfp: State, submission: Submission) -> None:
    upload(connect_to(kfp, "team"), submission)
    assert "namespace" not in kfp.only("pipelines")


@pytest.mark.parametrize("kind", ["lost", "half", "busy"])
@pytest.mark.parametrize("path", ["/pipelines", "/pipelines/upload_version", "/experiments", "/runs"])
def test_a_lost_answer_makes_nothing_twice(kfp: State, submission: Submission, path: str, kind: str) -> None:
    client = connect_to(kfp)
    kfp.faults.append(Fault("POST", PREFIX + path, kind))
    ids = upload(client, submission)
    create_run(client, run_body(submission, "small 1", ids))
    counts = [len(getattr(kfp, held)) for held in ("pipelines", "versions", "experiments", "runs")]
    assert counts == [1, 1, 1, 1]
    assert len(kfp.asked("POST", PREFIX + path)) == 1


@pytest.mark.parametrize("kind", ["slow", 500, 503, 429, "page"])
def test_what_was_not_done_is_done_at_the_next_attempt(kfp: State, submission: Submission, kind: int | str) -> None:
    client = connect_to(kfp)
    kfp.faults += [Fault("POST", UPLOAD, kind), Fault("GET", f"{PREFIX}/pipelines", kind)]
    upload(client, submission)
    assert len(kfp.versions) == 1
    assert len(kfp.asked("POST", UPLOAD)) == 2


def test_made_by_another_meanwhile(kfp: State, client: Client, submission: Submission) -> None:
    upload(client, submission)
    # The first look finds nothing, as if the other came right after it.
    hidden = dict(kfp.pipelines)
    kfp.pipelines.clear()
    original = client.pipelines.pipeline_service_create_pipeline

    def late(body: object) -> object:
        kfp.pipelines.update(hidden)
        return original(body)

    client.pipelines.pipeline_service_create_pipeline = late
    assert upload(client, submission).pipeline == next(iter(hidden))
    assert len(kfp.pipelines) == 1


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (403, "does not allow it \\(403\\): the test wants 403"),
        (404, "refuses it \\(404\\): the test wants 404"),
        (409, "refuses it \\(409\\): the test wants 409"),
        (400, "refuses it \\(400\\): the test wants 400"),
        ("login", "sends us elsewhere \\(302\\), as to a login"),
    ],
)
def test_a_refusal_is_told_and_not_repeated(
    kfp: State, client: Client, submission: Submission, kind: int | str, words: str
) -> None:
    kfp.faults.append(Fault("POST", UPLOAD, kind, times=9))
    with pytest.raises(RefusedError, match=f"uploading the version 'small-0123456789abcdef': {kfp.host} {words}"):
        upload(client, submission)
    assert len(kfp.asked("POST", UPLOAD)) == 1


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (500, "is busy or broken \\(500\\): the test wants 500"),
        ("slow", "did not answer in time"),
        ("lost", "cannot be reached, or broke off"),
        ("page", "does not answer as Kubeflow Pipelines does: the answer is not JSON: '<html>"),
    ],
)
def test_a_failure_that_stays(kfp: State, client: Client, kind: int | str, words: str) -> None:
    kfp.faults.append(Fault("GET", f"{PREFIX}/pipelines", kind, times=9))
    with pytest.raises(UnansweredError, match=words):
        upload(client, _never_sent())
    assert len(kfp.asked("GET", f"{PREFIX}/pipelines")) == 1 + len(WAITS)


def _never_sent() -> Submission:
    return Submission("small", "small-0", Path("none.yaml"), "", {}, "janus", "trains", None)


def _token(expires: int) -> str:
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({}, {"exp": expires})
    ]
    return ".".join([*parts, "signature"])


def test_an_expired_token_is_told_by_the_servers_clock() -> None:
    old, later = _token(1_700_000_000), _token(4_000_000_000)
    with running(State(token="another")) as kfp:
        with pytest.raises(RefusedError, match=r"\(401\): no token was given; give one by JANUS_KFP_TOKEN"):
            connect_to(kfp)
        with pytest.raises(RefusedError, match="the token expired at 2023-11-14 22:13:20 UTC; get a new one$") as error:
            connect_to(kfp, token=old)
        assert old not in str(error.value)
        with pytest.raises(RefusedError, match="the token is refused; get a new one, of the audience"):
            connect_to(kfp, token=later)
        kfp.clock = timedelta(hours=2)
        with pytest.raises(RefusedError, match="clock and the server's differ by 7200 s|differ by 7199 s"):
            connect_to(kfp, token=later)
        assert len(kfp.requests) == 4


def test_nothing_there() -> None:
    with pytest.raises(UnansweredError, match=r"http://127.0.0.1:1 cannot be reached, or broke off: .*refused"):
        connect(Access("http://127.0.0.1:1"), None, waits=())


def test_another_server_is_there(kfp: State) -> None:
    with pytest.raises(RefusedError, match=r"no API of Kubeflow Pipelines v2 there \(404\)"):
        connect(Access(f"{kfp.host}/elsewhere"), None, waits=())
    kfp.problems.clear()


def test_an_archived_experiment(kfp: State, client: Client, submission: Submission) -> None:
    upload(client, submission)
    kfp.only("experiments")["storage_state"] = "ARCHIVED"
    with pytest.raises(ConfigError, match=r"kubeflow\.experiment 'janus' is archived"):
        upload(client, submission)


def test_two_pipelines_of_one_name(kfp: State, client: Client, submission: Submission) -> None:
    upload(client, submission)
    kfp.pipelines["second"] = {**kfp.only("pipelines"), "pipeline_id": "second"}
    with pytest.raises(JanusError, match="has 2 of the pipeline 'small': delete or rename all but one"):
        upload(client, submission)


def test_a_cluster_of_the_kubeconfig(kfp: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "cluster", "cluster": {"server": kfp.host}}],
        "users": [{"name": "user", "user": {"token": "of-the-kubeconfig"}}],
        "contexts": [{"name": "here", "context": {"cluster": "cluster", "user": "user"}}],
        "current-context": "",
    }
    (tmp_path / "config").write_text(json.dumps(kubeconfig))
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "config"))
    with pytest.raises(ConfigError, match="--kube-context nowhere: .*nowhere"):
        connect(Access(None, None, "nowhere"), None, waits=())
    with pytest.raises(RefusedError, match="kubeconfig's context 'here' has no API of Kubeflow Pipelines"):
        connect(Access(None, None, "here", "kfp"), None, waits=())
    (asked,) = kfp.requests
    assert asked.path == f"/api/v1/namespaces/kfp/services/ml-pipeline:http/proxy{PREFIX}/healthz"
    assert asked.headers["authorization"] == "Bearer of-the-kubeconfig"
    kfp.problems.clear()
