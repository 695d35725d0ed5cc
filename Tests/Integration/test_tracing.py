"""One trace from `errata submit` to the evaluation event; its spans at a collector, by OpenTelemetry's definitions."""
import base64
import http.server
import json
import subprocess
import threading

import pytest
from conftest import System, binary, eventually, plain_environment, problem, tiny_student
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
# In OTLP's JSON mapping these are in hexadecimal, where protobuf's own has base64.
IDS = ("traceId", "spanId", "parentSpanId")


def parsed(body: bytes) -> ExportTraceServiceRequest:
    """A posted body; unknown fields, wrong types and numbers of enums that there are not are errors."""
    def in_base64(value):
        if isinstance(value, dict):
            return {
                key: base64.b64encode(bytes.fromhex(item)).decode() if key in IDS else in_base64(item)
                for key, item in value.items()
            }
        return [in_base64(item) for item in value] if isinstance(value, list) else value

    return json_format.ParseDict(in_base64(json.loads(body)), ExportTraceServiceRequest())


class Collector:
    """Takes OTLP over HTTP; refuses the first post as a busy collector does."""

    def __init__(self):
        self.bodies, self.refused, self.lock = [], 0, threading.Lock()
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with collector.lock:
                    is_taken = collector.refused > 0
                    if is_taken:
                        collector.bodies.append((self.path, self.headers["Content-Type"], body))
                    else:
                        collector.refused += 1
                self.send_response(200 if is_taken else 503)
                if not is_taken:
                    self.send_header("Retry-After", "0")
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def spans(self) -> list[tuple[str, object]]:
        """Each span with the name of its service."""
        with self.lock:
            bodies = list(self.bodies)
        found = []
        for path, content_type, body in bodies:
            assert (path, content_type) == ("/v1/traces", "application/json")
            for resource in parsed(body).resource_spans:
                names = {item.key: item.value.string_value for item in resource.resource.attributes}
                for scope in resource.scope_spans:
                    found += [(names["service.name"], span) for span in scope.spans]
        return found

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def headers_of(message) -> dict[str, str]:
    return {name: value.decode() for name, value in message.headers() or []}


def trace_of(message) -> tuple[str, str]:
    """The ids of a message's trace and of the span that it comes from."""
    version, trace, span, flags = headers_of(message)["ce_traceparent"].split("-")
    assert (version, len(trace), len(span)) == ("00", 32, 16) and flags in ("01", "03")
    return trace, span


@pytest.fixture(scope="module")
def traced(tmp_path_factory):
    """A system with a collector, on which problems were submitted and a run was trained and evaluated in one trace."""
    collector = Collector()
    folder = tmp_path_factory.mktemp("traced")
    options = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
    with System(environment=options) as system:
        environment = plain_environment() | options | {
            "TRACEPARENT": f"00-{TRACE}-{PARENT}-01", "TRACESTATE": "vendor=tested",
        }

        def errata(*arguments, stdin=None):
            done = subprocess.run(
                [binary("errata"), *arguments, "--state", str(system.state)],
                input=stdin, capture_output=True, env=environment, timeout=300,
            )
            assert done.returncode == 0, done.stderr.decode()
            return done

        for split, numbers in (("train", range(12)), ("test", range(50, 58))):
            problems = [problem(n) | {"id": f"traced-{n}", "dataset": "traced", "split": split} for n in numbers]
            lines = "".join(json.dumps(one) + "\n" for one in problems)
            errata("submit", "-", "--dataset", "traced", "--split", split, stdin=lines.encode())
        eventually(lambda: system.count("SELECT count(*) FROM problems") == 20, what="the problems are stored")
        errata("models", "add", str(tiny_student(folder / "student")), "--name", "tiny")
        run = {
            "name": "traced", "dataset": "traced", "seed": 3, "student": {"model": "tiny"},
            "stages": [{
                "name": "chains", "supervised": {"sources": [{"kind": "rightChains"}, {"kind": "rectifiedChains"}]},
                "start": {"examples": 8, "waitSeconds": 60},
                "training": {"learningRate": 1e-3, "maximumSteps": 4, "batchSequences": 4},
            }],
            "suites": [{"name": "gate", "dataset": "traced", "split": "test", "expectedProblems": 8}],
            "decoding": {"temperature": 0, "maximumNewTokens": 16},
        }
        errata("runs", "submit", "-", stdin=json.dumps(run).encode())
        eventually(lambda: system.count("SELECT count(*) FROM runs WHERE state = 'finished'") == 1, timeout=180,
                   what="the run is finished")
        yield system, collector
    collector.stop()


def test_every_event_is_of_the_trace_under_a_span_of_its_own(traced):
    system, _ = traced
    wanted = {
        "errata.problems.v1": 20, "errata.traces.v1": 12, "errata.key-steps.v1": 1, "errata.runs.v1": 1,
        "errata.checkpoints.v1": 2, "errata.evaluations.v1": system.count("SELECT count(*) FROM evaluations"),
    }
    spans = {}
    for topic, count in wanted.items():
        messages = system.read_all(topic, lambda m, count=count: len(m) >= count)
        spans[topic] = set()
        for message in messages:
            trace, span = trace_of(message)
            assert trace == TRACE, (topic, headers_of(message))
            assert headers_of(message)["ce_tracestate"] == "vendor=tested"
            if headers_of(message)["ce_type"] != "errata.teaching-order.v1":
                spans[topic].add(span)
    # Each problem's event comes from a span of its own, and no hop hands on the span that it was given.
    assert len(spans["errata.problems.v1"]) == 20
    hops = list(spans.values())
    assert sum(map(len, hops)) == len(set().union(*hops))
    assert PARENT not in set().union(*hops)


def test_what_is_stored_and_told_is_of_the_trace(traced):
    system, _ = traced
    for table in ("problems", "runs", "evaluation_jobs"):
        contexts = {row[0] for row in system.query(f"SELECT trace_context FROM {table}")}
        assert contexts and all(text.split("-")[1] == TRACE and text.endswith(" vendor=tested") for text in contexts)
    problem = system.query("SELECT id FROM problems ORDER BY id LIMIT 1")[0][0]
    assert TRACE in system.errata("trace", problem).stdout.decode()


def test_what_is_published_again_is_of_the_trace(traced):
    system, _ = traced
    count = system.count("SELECT count(*) FROM evaluations")
    before = system.read_all("errata.evaluations.v1", lambda m: len(m) >= count)
    replayed = system.errata("replay", "--topic", "errata.evaluations.v1", "--yes")
    assert replayed.returncode == 0, replayed.stderr
    after = system.read_all("errata.evaluations.v1", lambda m: len(m) >= len(before) + count)
    assert {trace_of(message) for message in after} == {trace_of(message) for message in before}


def test_the_collector_gets_valid_spans_whose_parents_are_there(traced):
    system, collector = traced
    names = {"errata", "teacher-ingestion", "key-step-locator", "template-distiller", "evaluator"}

    def complete():
        return names <= {name for name, _ in collector.spans()}

    eventually(complete, what="spans of every service")
    count = system.count("SELECT count(*) FROM evaluations")
    events = system.read_all("errata.evaluations.v1", lambda m: len(m) >= count)
    wanted = {trace_of(message)[1] for message in events}
    eventually(lambda: wanted <= {span.span_id.hex() for _, span in collector.spans()},
               what="the spans of the evaluation events")
    assert collector.refused == 1
    spans = [(name, span) for name, span in collector.spans() if span.trace_id.hex() == TRACE]
    # What a command was sending when it ended may come twice.
    ids = [span.span_id.hex() for name, span in spans if name != "errata"]
    assert len(ids) == len(set(ids))

    def orphans():
        known = {s.span_id.hex() for _, s in collector.spans()} | {PARENT}
        return [s.name for _, s in spans if s.parent_span_id.hex() not in known]

    # A service ends a span that goes on from one which another still has in its queue.
    eventually(lambda: not orphans(), what="the parents of all spans")
    kinds = {(name, span.name.split(" ")[0], span.kind) for name, span in spans}
    assert {
        ("errata", "create", 4), ("teacher-ingestion", "process", 5), ("teacher-ingestion", "chat", 3),
        ("key-step-locator", "process", 5), ("template-distiller", "train", 1), ("evaluator", "process", 5),
        ("evaluator", "evaluate", 1),
    } <= kinds
    assert any(kind == ("send", 4) for kind in {(k[1], k[2]) for k in kinds})
    for _, span in spans:
        assert 0 < span.start_time_unix_nano <= span.end_time_unix_nano
        assert span.trace_state == "vendor=tested"
    chat = next(span for _, span in spans if span.name.startswith("chat "))
    attributes = {item.key: item.value for item in chat.attributes}
    assert attributes["gen_ai.operation.name"].string_value == "chat"
    assert attributes["gen_ai.usage.output_tokens"].int_value > 0
    questions = [row[0] for row in system.query("SELECT question FROM problems")]
    with collector.lock:
        everything = b"".join(body for _, _, body in collector.bodies).decode()
    assert not any(json.dumps(question)[1:-1] in everything for question in questions)


def test_a_body_that_breaks_the_mapping_is_found():
    span = {"traceId": TRACE, "spanId": PARENT, "name": "n", "kind": 1}
    good = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    assert parsed(json.dumps(good).encode()).resource_spans[0].scope_spans[0].spans[0].trace_id.hex() == TRACE
    for broken in ({"trace_ids": TRACE}, {"startTimeUnixNano": "soon"}, {"kind": "SPAN_KIND_OF_NONE"}):
        with pytest.raises(json_format.ParseError):
            parsed(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span | broken]}]}]}).encode())


def test_a_setting_that_cannot_be_used_is_told_by_its_name():
    environment = plain_environment() | {"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}
    done = subprocess.run([binary("evaluator"), "--check"], env=environment, capture_output=True, text=True, timeout=30)
    assert done.returncode == 78 and "OTEL_EXPORTER_OTLP_ENDPOINT" in done.stderr
