"""A home as runs leave it: ML Metadata with the properties that TFX writes, reports, and pushed versions."""

import json
from pathlib import Path
from typing import Any

from ml_metadata.proto import metadata_store_pb2 as pb

from pipeline.config import JanusConfig
from pipeline.home import Home
from pipeline.lineage.store import open_store
from pipeline.report.report_json import RunReport, write_report

ARTIFACTS = ("Examples", "Schema", "ExampleStatistics", "TransformGraph", "Model", "ModelBlessing", "PushedModel")
NODES = ("ExampleGen", "ImportSchemaGen", "StatisticsGen", "Transform", "Trainer", "Resolver", "Evaluator", "Pusher")


class Runs:
    """Writes runs of a pipeline."""

    def __init__(self, config: JanusConfig):
        self.config = config
        self.home = Home(config.name)
        self.home.create()
        self.store = open_store(self.home.metadata)
        self._kinds = {name: self.store.put_artifact_type(pb.ArtifactType(name=name)) for name in ARTIFACTS}
        self._steps = {n: self.store.put_execution_type(pb.ExecutionType(name=f"some.package.{n}")) for n in NODES}
        types = {n: self.store.put_context_type(pb.ContextType(name=n)) for n in ("pipeline_run", "node")}
        self._run_type = types["pipeline_run"]
        contexts = [pb.Context(type_id=types["node"], name=f"{config.name}.{node}") for node in NODES]
        self._nodes = dict(zip(NODES, self.store.put_contexts(contexts), strict=True))

    def data(self, run_id: str, span: int = 0, fingerprint: str = "total_bytes:10") -> dict[str, int]:
        """ExampleGen up to Transform; returns the artifacts' ids."""
        run = self._run(run_id)
        parameters = {"data": {"path": "data", "split": {"by": "hash"}}, "seed": 1, "source": "codeOfExampleGen"}
        value = {"@type": "type.googleapis.com/google.protobuf.Value", "value": json.dumps(parameters)}
        examples = self.artifact(
            "Examples", input_fingerprint=fingerprint, span=span, num_examples=json.dumps({"train": 80, "eval": 20})
        )
        self.execute("ExampleGen", run, {}, {"examples": examples}, custom_config=json.dumps({"custom_config": value}))
        schema = self.artifact("Schema")
        folder = Path(self.store.get_artifacts_by_id([schema])[0].uri)
        folder.mkdir(parents=True)
        (folder / "schema.pbtxt").write_text('feature { name: "distance" }')
        self.execute("ImportSchemaGen", run, {}, {"schema": schema}, schema_file="schemas/0a/schema.pbtxt")
        graph = self.artifact("TransformGraph")
        transformed = self.artifact("Examples")
        self.execute(
            "Transform",
            run,
            {"examples": examples, "schema": schema},
            {"transform_graph": graph, "transformed_examples": transformed},
            code="codeOfTransform",
            custom_config=json.dumps({"code": "codeOfFunctions", "preprocessing": '{"features": {"distance": {}}}'}),
        )
        return {"examples": examples, "schema": schema, "graph": graph, "transformed": transformed}

    def model(self, run_id: str, data: dict[str, int], learning_rate: float = 0.1, base: int | None = None) -> int:
        """The Trainer; returns the Model's id."""
        trainer = {"seed": 1, "tasks": {"late": {"kind": "binary"}}, "training": {"learning_rate": learning_rate}}
        model = self.artifact("Model")
        reads = {"examples": data["transformed"], "transform_graph": data["graph"], "schema": data["schema"]}
        self.execute(
            "Trainer",
            self._run(run_id),
            reads | ({"base_model": base} if base else {}),
            {"model": model},
            custom_config=json.dumps({"code": "codeOfTrainer", "trainer": json.dumps(trainer)}),
        )
        return model

    def push(self, run_id: str, data: dict[str, int], model: int, version: int, baseline: int | None = None) -> int:
        """Evaluator and Pusher, and the version's folder; returns the PushedModel's id."""
        run = self._run(run_id)
        if baseline:
            self.execute("Resolver", run, {}, {"model": baseline}, kind=pb.Event.INTERNAL_OUTPUT)
        blessing = self.artifact("ModelBlessing", blessed=1)
        reads = {"examples": data["examples"], "model": model} | ({"baseline_model": baseline} if baseline else {})
        slices = json.dumps({"slicing_specs": [{}, {"feature_keys": ["carrier"]}]})
        self.execute("Evaluator", run, reads, {"blessing": blessing}, eval_config=slices)
        destination = f"{self.config.push.path}/{version}"
        pushed = self.artifact("PushedModel", pushed=1, pushed_version=str(version), pushed_destination=destination)
        self.execute("Pusher", run, {"model": model, "model_blessing": blessing}, {"pushed_model": pushed})
        add_version(self.config, version)
        return pushed

    def again(self, run_id: str, node: str, outputs: dict[str, int]) -> None:
        """A later run's execution that found its outputs in the cache."""
        self.execute(node, self._run(run_id), {}, outputs)

    def report(self, run_id: str, auc: float = 0.75, mae: float = 12.5, least: float = 0.6, **changed: Any) -> Path:
        """A run's report.json; returns its path."""
        gate = {"metric": "auc", "rule": "min", "limit": least, "passed": True, "value": auc}
        tasks = {
            "late": {"kind": "binary", "metrics": {"auc": auc}, "gates": [gate], "labelled": {"eval": 20}},
            "delay": {"kind": "regression", "unit": "minutes", "metrics": {"mae": mae, "bias": -1.0}},
        }
        values: dict[str, Any] = {"janus": "0.1", "seconds": 61.5, "stack": {"tensorflow": "2.16.2"}, "tasks": tasks}
        values["examples"] = {"train": 80, "eval": 20}
        report = RunReport(pipeline=self.config.name, run_id=run_id, **{**values, **changed})
        folder = self.home.run_folder(run_id)
        folder.mkdir(exist_ok=True)
        return write_report(report, folder)

    def artifact(self, kind: str, **properties: int | str) -> int:
        """Makes one; returns its id."""
        made = pb.Artifact(type_id=self._kinds[kind])
        _fill(made.custom_properties, properties)
        (made.id,) = self.store.put_artifacts([made])
        made.uri = f"root/{kind}/{made.id}"
        self.store.put_artifacts([made])
        return int(made.id)

    def execute(
        self,
        node: str,
        run: int,
        reads: dict[str, int],
        makes: dict[str, int],
        kind: "pb.Event.Type" = pb.Event.OUTPUT,
        **properties: str,
    ) -> None:
        """Makes one execution of a node in a run."""
        execution = pb.Execution(type_id=self._steps[node], last_known_state=pb.Execution.COMPLETE)
        _fill(execution.custom_properties, properties)
        (number,) = self.store.put_executions([execution])
        events = [_event(number, key, artifact, pb.Event.INPUT) for key, artifact in reads.items()]
        self.store.put_events([*events, *(_event(number, key, artifact, kind) for key, artifact in makes.items())])
        contexts = (run, self._nodes[node])
        self.store.put_attributions_and_associations(
            [], [pb.Association(execution_id=number, context_id=context) for context in contexts]
        )

    def _run(self, run_id: str) -> int:
        found = self.store.get_context_by_type_and_name("pipeline_run", run_id)
        if found is not None:
            return int(found.id)
        (made,) = self.store.put_contexts([pb.Context(type_id=self._run_type, name=run_id)])
        return int(made)


def add_version(config: JanusConfig, version: int) -> None:
    """A complete version, as far as a look into the folder shows."""
    folder = Path(config.push.path) / str(version)
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"model")


def _event(execution: int, key: str, artifact: int, kind: "pb.Event.Type") -> pb.Event:
    path = pb.Event.Path(steps=[pb.Event.Path.Step(key=key), pb.Event.Path.Step(index=0)])
    return pb.Event(execution_id=execution, artifact_id=artifact, type=kind, path=path)


def _fill(target: Any, properties: dict[str, Any]) -> None:
    for key, value in properties.items():
        if isinstance(value, int):
            target[key].int_value = value
        else:
            target[key].string_value = value
