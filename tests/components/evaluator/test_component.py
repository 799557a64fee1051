"""The component in a TFX pipeline, run by TFX."""

import json
from pathlib import Path

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.dsl.components.common.importer import Importer
from tfx.orchestration import metadata, pipeline
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.types import standard_artifacts

from components.evaluator.component import ENGINES, BatchEvaluator, StockEvaluator
from pipeline.config import EvaluationConfig
from pipeline.evaluation import eval_config
from pipeline.report.evaluation_result import read_evaluation
from tests.pipeline.evaluation_harness import SCHEMA, make_config, random_table, save_model, write_examples


def test_there_is_an_engine_for_every_choice():
    assert set(ENGINES) == set(EvaluationConfig.model_json_schema()["properties"]["engine"]["enum"])
    assert ENGINES[EvaluationConfig().engine] is BatchEvaluator
    assert ENGINES["tfma"] is StockEvaluator


@pytest.mark.slow
def test_it_runs_in_a_pipeline_and_sees_edits_of_its_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_examples(tmp_path / "examples", random_table(50))
    save_model(tmp_path / "model")
    (tmp_path / "schema").mkdir()
    schema = text_format.Parse(SCHEMA, schema_pb2.Schema())
    (tmp_path / "schema" / "schema.pbtxt").write_text(text_format.MessageToString(schema))
    config = make_config({"delay": {"mae": {"max": 50.0}}})

    def run() -> int:
        """The number of evaluations that there are afterwards."""
        examples = Importer(
            source_uri=str(tmp_path / "examples"),
            artifact_type=standard_artifacts.Examples,
            properties={"split_names": json.dumps(["eval"])},
        ).with_id("examples")
        model = Importer(source_uri=str(tmp_path / "model"), artifact_type=standard_artifacts.Model).with_id("model")
        imported_schema = Importer(
            source_uri=str(tmp_path / "schema"), artifact_type=standard_artifacts.Schema
        ).with_id("schema")
        evaluator = BatchEvaluator(
            examples=examples.outputs["result"],
            model=model.outputs["result"],
            schema=imported_schema.outputs["result"],
            eval_config=eval_config(config),
        ).with_id("Evaluator")
        connection = metadata.sqlite_metadata_connection_config(str(tmp_path / "metadata.db"))
        LocalDagRunner().run(
            pipeline.Pipeline(
                pipeline_name="small",
                pipeline_root=str(tmp_path / "root"),
                components=[examples, model, imported_schema, evaluator],
                enable_cache=True,
                metadata_connection_config=connection,
            )
        )
        return len(list((tmp_path / "root" / "Evaluator" / "evaluation").iterdir()))

    assert run() == 1
    assert run() == 1
    monkeypatch.setattr("components.evaluator.component.node_fingerprint", lambda *_: "edited")
    assert run() == 2
    (evaluation,) = (tmp_path / "root" / "Evaluator" / "evaluation").glob("4")
    blessing = tmp_path / "root" / "Evaluator" / "blessing" / evaluation.name
    result = read_evaluation(config, str(evaluation), str(blessing))
    assert result.blessed
    assert result.examples == 50
