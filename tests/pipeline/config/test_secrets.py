"""Secrets are refused before a run could write them down, and no message repeats them."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from janus_core.errors import ConfigError
from pipeline.cli import app
from pipeline.config.file import parse_config
from pipeline.config.secrets import secret_problems
from tests.pipeline.small import small_raw

SECRET = "hunter2/+x=="
AZURE = f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={SECRET};EndpointSuffix=core.windows.net"


def raw_with(place: str, value: Any) -> dict[str, Any]:
    raw = small_raw(Path("/tmp/x"))
    *parents, last = place.split(".")
    node = raw
    for key in parents:
        node = node.setdefault(key, {})
    node[last] = value
    return raw


REFUSED: list[tuple[str, Any, str]] = [
    (
        "data.path",
        f"s3://key:{SECRET}@bucket/orders",
        "data.path: the address holds a password .*AWS_SECRET_ACCESS_KEY",
    ),
    ("data.path", "hdfs://user:hunter2@namenode:8020/orders", "data.path: the address holds a password"),
    ("data.path", f"https://a.blob.core.windows.net/c/x.csv?sv=2024&sig={SECRET}", "data.path: sig=… is a secret"),
    ("data.path", f"https://h/x.csv?X-Amz-Signature={SECRET}", "data.path: X-Amz-Signature=… is a secret"),
    ("data.path", AZURE, "data.path: AccountKey=… is a secret"),
    ("push.path", f"abfs://c@a.dfs.core.windows.net/m?access_token={SECRET}", "AZURE_STORAGE_CONNECTION_STRING"),
    ("push.path", "gs://user:hunter2@bucket/models", "push.path: .* set GOOGLE_APPLICATION_CREDENTIALS in the environ"),
    ("schema", f"s3://key:{SECRET}@bucket/orders.pbtxt", "schema: the address holds a password"),
    ("beam.args", [f"--s3_secret_access_key={SECRET}"], "beam.args.0: --s3_secret_access_key holds a secret.*workers"),
    (
        "beam.args",
        ["--runner=FlinkRunner", "--s3_session_token", SECRET],
        "beam.args.1: --s3_session_token .*AWS_SECRET",
    ),
    ("beam.args", [f"--azure_connection_string={AZURE}"], "beam.args.0: .*set AZURE_STORAGE_CONNECTION_STRING"),
    ("beam.args", [f"--password={SECRET}"], "beam.args.0: --password holds a secret"),
    ("beam.args", [f'--environment_config={{"env": {{"DB_PASSWORD": "{SECRET}"}}}}'], "the variable DB_PASSWORD holds"),
    ("beam.args", [f"--temp_location=s3://key:{SECRET}@bucket/tmp"], "beam.args.0: the address holds a password"),
    (
        "beam.flink",
        {"environment_config": {"command": "boot", "env": {"AWS_SECRET_ACCESS_KEY": SECRET}}},
        "beam.flink.environment_config.env.AWS_SECRET_ACCESS_KEY: the variable",
    ),
    ("kubeflow", {"env": {"KFP_TOKEN": SECRET}}, "kubeflow.env.KFP_TOKEN: .* let kubeflow.secrets set a variable"),
    ("kubeflow", {"metadata": "mysql://janus:hunter2@db:3306/metadata"}, "kubeflow.metadata: .*JANUS_MLMD_PASSWORD"),
    ("kubeflow", {"data_path": f"s3://key:{SECRET}@bucket/orders"}, "kubeflow.data_path: .* let kubeflow.secrets"),
]


@pytest.mark.parametrize(("place", "value", "message"), REFUSED)
def test_a_secret_is_refused_and_not_repeated(place: str, value: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=f"holds secrets:\n  .*{message}") as caught:
        parse_config(raw_with(place, value))
    assert caught.value.exit_code == 2
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("data.path", "s3://bucket/orders/{SPAN}/*.csv"),
        ("data.path", "data/a:b@c/sig=1/token=x/part?.csv"),
        ("data.path", "/data/[ab]?sig.csv"),
        ("data.path", "hdfs://user@namenode:8020/orders@2024"),
        ("data.path", "hdfs://namenode:8020/orders@2024"),
        ("push.path", "abfs://container@account.dfs.core.windows.net/models"),
        ("push.path", "gs://bucket/models;v=1"),
        ("schema", "schema/password.pbtxt"),
        ("beam.args", ["--runner=DataflowRunner", "--s3_access_key_id=AKIA", "--service_account_email=a@b.c"]),
        ("beam.args", ["--no_auth", "--dataflow_kms_key=projects/p/keys/k", "--password", "--s3_secret_access_key="]),
        ("beam.args", ["--environment_config={not JSON", "--job_endpoint=host:8099"]),
        ("kubeflow", {"metadata": "mysql://janus@db:3306/metadata"}),
        ("kubeflow", {"env": {"GOOGLE_APPLICATION_CREDENTIALS": "/key.json", "DB_PASSWORD": "$(OTHER)", "TOKEN": ""}}),
        ("kubeflow", {"secrets": [{"name": "mlmd", "key": "password", "env": "JANUS_MLMD_PASSWORD"}]}),
        ("features", {"password": {"kind": "hashed", "buckets": 10}, "token": {"kind": "numeric"}}),
        # Of another type than it must be: the validation reports it.
        ("beam", [1, {"env": 3}]),
        ("push", None),
        ("data.path", 1),
    ],
)
def test_what_only_looks_like_a_secret(place: str, value: Any) -> None:
    assert secret_problems(raw_with(place, value)) == []


def test_a_run_with_a_secret_ends_with_2_and_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(yaml_of(raw_with("data.path", "data")), encoding="utf-8")
    result = CliRunner().invoke(app, ["run", "small.yaml", "--set", f"push.path=s3://key:{SECRET}@bucket/models"])
    assert result.exit_code == 2
    assert "small.yaml holds secrets:" in result.stderr
    assert "hunter2" not in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["small.yaml"]


def yaml_of(raw: dict[str, Any]) -> str:
    import yaml

    return yaml.safe_dump(raw)
