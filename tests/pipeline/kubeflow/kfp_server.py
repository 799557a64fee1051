"""A Kubeflow Pipelines server for tests: checks each request against API v2beta1 by kfp_server_api's own models."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import kfp_server_api as api
import yaml

PREFIX = "/apis/v2beta1"
LISTED = {"page_token", "page_size", "sort_by", "filter"}
Answer = tuple[int, dict[str, Any]]


@dataclass(frozen=True)
class Request:
    """What came in."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class Fault:
    """What the server does wrong, `times` times, on requests that fit.

    Attributes:
        kind: a status code that it answers without doing anything; or, after doing what was asked, `lost` (no answer),
            `half` (half an answer), `busy` (503); or, without doing it, `slow`, `page` (HTML), `login` (a redirection).
    """

    method: str
    path: str
    kind: int | str
    times: int = 1


@dataclass
class State:
    """What the server holds, and what it was asked.

    Attributes:
        multi_user: whether it needs a namespace, and otherwise refuses one.
        token: that is wanted.
        version: of Kubeflow Pipelines; from 2.16 on it knows `propagation_policy`.
        clock: how far its clock is ahead.
        problems: of requests that KFP's API does not have.
        enabled: after each change, how many recurring runs were enabled.
        killed: runs that were under way when the recurring run that owns them was deleted.
    """

    multi_user: bool = False
    token: str | None = None
    version: str = "2.17.0"
    clock: timedelta = timedelta()
    page_size: int = 100
    pipelines: dict[str, dict[str, Any]] = field(default_factory=dict)
    versions: dict[str, dict[str, Any]] = field(default_factory=dict)
    experiments: dict[str, dict[str, Any]] = field(default_factory=dict)
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    recurring_runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    enabled: list[int] = field(default_factory=list)
    killed: list[str] = field(default_factory=list)
    host: str = ""
    made: int = 0

    def asked(self, method: str, path: str) -> list[Request]:
        """The requests of a method to a path, a regular expression."""
        return [request for request in self.requests if request.method == method and re.fullmatch(path, request.path)]

    def only(self, kind: str) -> dict[str, Any]:
        """The one thing of a kind."""
        (found,) = getattr(self, kind).values()
        return found


@dataclass(frozen=True)
class Route:
    """An operation of the API.

    Attributes:
        query: the parameters that it takes.
        model: of kfp_server_api, that its body is.
        needed: fields that the body must have.
    """

    method: str
    pattern: str
    handle: Callable[[State, Request, str], Answer]
    query: frozenset[str] = frozenset()
    model: str | None = None
    needed: tuple[str, ...] = ()


@contextmanager
def running(state: State) -> Iterator[State]:
    """Serves on a port of its own, and demands in the end that all requests were of the API."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"state": state}))
    server.daemon_threads = True
    state.host = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert not state.problems, state.problems


def check_model(content: Any, kind: str, where: str) -> list[str]:
    """What of a JSON value is not of one of kfp_server_api's types."""
    if kind.startswith("list["):
        if not isinstance(content, list):
            return [f"{where} is no list"]
        return [problem for item in content for problem in check_model(item, kind[5:-1], where)]
    if kind.startswith("dict("):
        inner = kind[5:-1].partition(", ")[2]
        return [problem for name, item in content.items() for problem in check_model(item, inner, f"{where}.{name}")]
    if kind == "object":
        return []
    plain = {"str": str, "bool": bool, "int": int, "float": (int, float), "datetime": str}
    if kind in plain:
        return [] if isinstance(content, plain[kind]) else [f"{where}: {content!r} is no {kind}"]
    model = getattr(api, kind)
    allowed = getattr(model, "allowable_values", None)
    if allowed is not None:
        return [] if content in allowed else [f"{where}: {content!r} is none of {allowed}"]
    if not isinstance(content, dict):
        return [f"{where} is no object"]
    types = {model.attribute_map[name]: kind for name, kind in model.openapi_types.items()}
    problems = [f"{where}: {kind} has no '{name}'" for name in content if name not in types]
    for name, value in content.items():
        if name in types:
            problems += check_model(value, types[name], f"{where}.{name}")
    return problems


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    state: State

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def log_message(self, *_: Any) -> None:
        """Tests are quiet."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        del timestamp
        return format_datetime(datetime.now(UTC) + self.state.clock, usegmt=True)

    def _answer(self) -> None:
        request = self._read()
        self.state.requests.append(request)
        fault = self._fault(request)
        kind = fault.kind if fault else None
        if isinstance(kind, int):
            return self._send(kind, {"code": 13, "message": f"the test wants {kind}", "details": []})
        if kind == "slow":
            time.sleep(1.0)
            self.close_connection = True
            return None
        if kind == "page":
            return self._send(200, b"<html><body>Log in to Dex</body></html>", "text/html")
        if kind == "login":
            self.send_response(302)
            self.send_header("Location", "/dex/auth")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        status, content = self._handle(request)
        if kind == "lost":
            self.close_connection = True
            return None
        if kind == "busy":
            return self._send(503, b"no healthy upstream", "text/plain")
        return self._send(status, content, half=kind == "half")

    def _fault(self, request: Request) -> Fault | None:
        for fault in self.state.faults:
            if fault.times and fault.method == request.method and re.fullmatch(fault.path, request.path):
                fault.times -= 1
                return fault
        return None

    def _read(self) -> Request:
        parts = urlsplit(self.path)
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        kind = headers.get("content-type", "")
        if kind.startswith("multipart/form-data"):
            message = message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + content, policy=policy.HTTP)
            body = {
                part.get_param("name", header="content-disposition"): part.get_payload(decode=True)
                for part in message.iter_parts()
            }
        else:
            body = json.loads(content) if content else None
        return Request(self.command, parts.path, dict(parse_qsl(parts.query)), headers, body)

    def _handle(self, request: Request) -> Answer:
        wanted = self.state.token
        if wanted is not None and request.headers.get("authorization") != f"Bearer {wanted}":
            return 401, {"code": 16, "error": "Request header error: there is no user identity header", "details": []}
        for route in ROUTES:
            match = re.fullmatch(PREFIX + route.pattern, request.path)
            if match and route.method == request.method:
                problems = _problems(route, request)
                if problems:
                    self.state.problems += problems
                    return 400, {"code": 3, "message": "; ".join(problems), "details": []}
                return route.handle(self.state, request, next(iter(match.groups()), ""))
        self.state.problems.append(f"{request.method} {request.path}: no such operation")
        return 404, {"code": 5, "message": "Not Found", "details": []}

    def _send(self, status: int, content: Any, kind: str = "application/json", half: bool = False) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if half:
            data = data[: len(data) // 2]
            self.close_connection = True
        self.wfile.write(data)


def _problems(route: Route, request: Request) -> list[str]:
    where = f"{request.method} {request.path}"
    problems = [f"{where}: no query parameter '{name}'" for name in request.query if name not in route.query]
    if route.model:
        problems += check_model(request.body, route.model, where)
        problems += [f"{where}: '{name}' is missing" for name in route.needed if not (request.body or {}).get(name)]
    return problems


def _new(state: State, kind: str) -> tuple[str, str]:
    """An id, and the time."""
    state.made += 1
    moment = datetime.now(UTC) + state.clock + timedelta(milliseconds=state.made)
    return f"{kind}-{state.made}", moment.isoformat().replace("+00:00", "Z")


def _refused(code: int, message: str) -> Answer:
    return code, {"code": {400: 3, 404: 5, 409: 6}[code], "message": message, "details": []}


def _namespace_problem(state: State, namespace: str | None) -> Answer | None:
    if state.multi_user and not namespace:
        return _refused(400, "In multi-user mode, namespace must be specified")
    if not state.multi_user and namespace:
        return _refused(400, "In single-user mode, namespace must be empty")
    return None


def _healthz(state: State, request: Request, _: str) -> Answer:
    return 200, {"commit_sha": "0" * 40, "tag_name": state.version, "multi_user": state.multi_user}


def _listing(key: str, items: Callable[[State, Request, str], list[dict[str, Any]]]) -> Callable[..., Answer]:
    """A list: filtered by an equal value, sorted, in pages."""

    def handle(state: State, request: Request, parent: str) -> Answer:
        scoped = {"namespace", "experiment_id"} & set(request.query)
        if key != "pipeline_versions" and "experiment_id" not in scoped:
            problem = _namespace_problem(state, request.query.get("namespace"))
            if problem:
                return problem
        found = items(state, request, parent)
        for predicate in json.loads(request.query.get("filter", "{}")).get("predicates", []):
            assert predicate["operation"] in (1, "EQUALS"), predicate
            # MySQL compares without regard to case.
            wanted = predicate["stringValue"].lower()
            found = [item for item in found if str(item.get(predicate["key"], "")).lower() == wanted]
        for name in ("namespace", "experiment_id"):
            if name in scoped:
                found = [item for item in found if item.get(name) == request.query[name]]
        column, _, order = request.query.get("sort_by", "created_at").partition(" ")
        found.sort(key=lambda item: item[column], reverse=order == "desc")
        start = int(request.query.get("page_token") or 0)
        end = start + min(state.page_size, int(request.query.get("page_size", 20)))
        answer: dict[str, Any] = {"total_size": len(found)}
        if found[start:end]:
            answer[key] = found[start:end]
        if end < len(found):
            answer["next_page_token"] = str(end)
        return 200, answer

    return handle


def _create_pipeline(state: State, request: Request, _: str) -> Answer:
    body = request.body
    problem = _namespace_problem(state, body.get("namespace"))
    if problem:
        return problem
    if any(item["display_name"] == body["display_name"] for item in state.pipelines.values()):
        return _refused(409, f"Already exist error: the name {body['display_name']} already exists")
    key, now = _new(state, "pipeline")
    state.pipelines[key] = {**body, "pipeline_id": key, "created_at": now}
    return 200, state.pipelines[key]


def _upload_version(state: State, request: Request, _: str) -> Answer:
    pipeline, name = request.query.get("pipelineid"), request.query.get("name")
    if pipeline not in state.pipelines:
        return _refused(404, f"Pipeline {pipeline} not found")
    if any(item["display_name"] == name and item["pipeline_id"] == pipeline for item in state.versions.values()):
        return _refused(409, f"Already exist error: the name {name} already exists")
    spec, platform = yaml.safe_load_all(request.body["uploadfile"])
    assert set(platform) == {"platforms"}
    key, now = _new(state, "version")
    state.versions[key] = {
        "pipeline_id": pipeline,
        "pipeline_version_id": key,
        "display_name": name,
        "created_at": now,
        "pipeline_spec": spec,
    }
    return 200, state.versions[key]


def _create_experiment(state: State, request: Request, _: str) -> Answer:
    problem = _namespace_problem(state, request.body.get("namespace"))
    if problem:
        return problem
    key, now = _new(state, "experiment")
    state.experiments[key] = {
        **request.body, "experiment_id": key, "created_at": now, "storage_state": "AVAILABLE",
    }  # fmt: skip
    return 200, state.experiments[key]


def _missing(state: State, body: dict[str, Any]) -> Answer | None:
    reference = body["pipeline_version_reference"]
    version = state.versions.get(reference.get("pipeline_version_id"))
    if version is None or version["pipeline_id"] != reference.get("pipeline_id"):
        return _refused(404, "PipelineVersion not found")
    if body["experiment_id"] not in state.experiments:
        return _refused(404, "Experiment not found")
    return None


def _create_run(state: State, request: Request, _: str) -> Answer:
    missing = _missing(state, request.body)
    if missing:
        return missing
    key, now = _new(state, "run")
    state.runs[key] = {
        **request.body, "run_id": key, "created_at": now, "state": "PENDING", "finished_at": "1970-01-01T00:00:00Z",
    }  # fmt: skip
    return 200, state.runs[key]


def _get(kind: str) -> Callable[..., Answer]:
    def handle(state: State, request: Request, key: str) -> Answer:
        found = getattr(state, kind).get(key)
        return (200, found) if found else _refused(404, f"{key} not found")

    return handle


def _create_recurring_run(state: State, request: Request, _: str) -> Answer:
    missing = _missing(state, request.body)
    if missing:
        return missing
    if len(request.body["trigger"]["cron_schedule"]["cron"].split()) != 6:
        state.problems.append("KFP reads the first of five fields as seconds")
    if not 1 <= int(request.body["max_concurrency"]) <= 10:
        return _refused(400, "The max concurrency of the recurring run is out of range: [1, 10]")
    key, now = _new(state, "recurring")
    # The server gives the mode back as a status.
    enabled = request.body["mode"] == "ENABLE"
    experiment = state.experiments[request.body["experiment_id"]]
    state.recurring_runs[key] = {
        **request.body,
        "recurring_run_id": key,
        "created_at": now,
        "status": "ENABLED" if enabled else "DISABLED",
        **({"namespace": experiment["namespace"]} if "namespace" in experiment else {}),
    }
    _count(state)
    return 200, state.recurring_runs[key]


def _set_status(status: str) -> Callable[..., Answer]:
    def handle(state: State, request: Request, key: str) -> Answer:
        if key not in state.recurring_runs:
            return _refused(404, f"{key} not found")
        state.recurring_runs[key]["status"] = status
        _count(state)
        return 200, {}

    return handle


def _delete_recurring_run(state: State, request: Request, key: str) -> Answer:
    if state.recurring_runs.pop(key, None) is None:
        return _refused(404, f"{key} not found")
    # An older server does not read the parameter; Kubernetes then collects the workflows with their owner.
    orphans = state.version >= "2.16" and request.query.get("propagation_policy") == "ORPHAN"
    for run in state.runs.values():
        if run.get("recurring_run_id") == key and run["state"] in ("PENDING", "RUNNING") and not orphans:
            state.killed.append(run["run_id"])
    _count(state)
    return 200, {}


def _count(state: State) -> None:
    state.enabled.append(sum(run["status"] == "ENABLED" for run in state.recurring_runs.values()))


def _all_of(kind: str) -> Callable[..., list[dict[str, Any]]]:
    return lambda state, request, parent: list(getattr(state, kind).values())


def _versions_of(state: State, request: Request, parent: str) -> list[dict[str, Any]]:
    return [version for version in state.versions.values() if version["pipeline_id"] == parent]


_KEY = r"/([^/:]+)"
_STARTED = ("display_name", "experiment_id", "pipeline_version_reference", "runtime_config", "service_account")
ROUTES = (
    Route("GET", "/healthz", _healthz),
    Route("GET", "/pipelines", _listing("pipelines", _all_of("pipelines")), frozenset(LISTED | {"namespace"})),
    Route("POST", "/pipelines", _create_pipeline, model="V2beta1Pipeline", needed=("display_name",)),
    Route("GET", f"/pipelines{_KEY}/versions", _listing("pipeline_versions", _versions_of), frozenset(LISTED)),
    Route(
        "POST", "/pipelines/upload_version", _upload_version, frozenset({"name", "pipelineid", "description"}),
    ),
    Route("GET", "/experiments", _listing("experiments", _all_of("experiments")), frozenset(LISTED | {"namespace"})),
    Route("POST", "/experiments", _create_experiment, model="V2beta1Experiment", needed=("display_name",)),
    Route(
        "GET", "/runs", _listing("runs", _all_of("runs")), frozenset(LISTED | {"namespace", "experiment_id"}),
    ),
    Route("POST", "/runs", _create_run, frozenset({"experiment_id"}), "V2beta1Run", _STARTED),
    Route("GET", f"/runs{_KEY}", _get("runs"), frozenset({"experiment_id"})),
    Route(
        "GET",
        "/recurringruns",
        _listing("recurringRuns", _all_of("recurring_runs")),
        frozenset(LISTED | {"namespace", "experiment_id"}),
    ),
    Route(
        "POST",
        "/recurringruns",
        _create_recurring_run,
        model="V2beta1RecurringRun",
        needed=(*_STARTED, "trigger", "max_concurrency", "no_catchup", "mode"),
    ),
    Route("GET", f"/recurringruns{_KEY}", _get("recurring_runs")),
    Route("DELETE", f"/recurringruns{_KEY}", _delete_recurring_run, frozenset({"propagation_policy"})),
    Route("POST", f"/recurringruns{_KEY}:disable", _set_status("DISABLED")),
    Route("POST", f"/recurringruns{_KEY}:enable", _set_status("ENABLED")),
)  # fmt: skip
