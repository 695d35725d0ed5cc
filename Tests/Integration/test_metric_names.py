"""Holds the dashboard and the alert rules against compose/METRICS.md, which is held against the code by its unit tests.

No server is needed. Every check is also run on a planted violation, so that a green run means something.
"""
import json
import pathlib
import re

import promql_parser as promql
import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
OBSERVABILITY = ROOT / "compose/observability"
# What Prometheus adds: to every series of ours, to histograms, and of itself.
TARGET_LABELS = {"job", "instance", "service"}
OF_PROMETHEUS = {"up": set()}


def listed() -> dict[str, dict]:
    """The metrics of the page, by name."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (\w+) \| ([^|]*) \| ([^|]+) \|$", (ROOT / "compose/METRICS.md").read_text(),
                      flags=re.M)
    metrics = {
        name: {"type": kind, "scope": scope, "labels": set(re.findall(r"`(\w+)`", labels))}
        for name, kind, scope, labels, _ in rows
    }
    assert len(metrics) == len(rows) > 40
    return metrics


METRICS = listed()


def metric(name: str) -> dict | None:
    if name in OF_PROMETHEUS:
        return {"type": "gauge", "scope": "process", "labels": OF_PROMETHEUS[name]}
    if name in METRICS:
        # A histogram is asked for by its series.
        return None if METRICS[name]["type"] == "histogram" else METRICS[name]
    base = re.sub(r"_(bucket|sum|count)$", "", name)
    if base != name and METRICS.get(base, {}).get("type") == "histogram":
        return METRICS[base] | {"labels": METRICS[base]["labels"] | {"le"}}
    return None


def selectors(expression, around: tuple = ()):
    """Each selector of an expression with the aggregations and calls around it, the innermost first."""
    if isinstance(expression, promql.VectorSelector):
        yield expression, around
    elif isinstance(expression, promql.MatrixSelector):
        yield from selectors(expression.vector_selector, around)
    elif isinstance(expression, promql.BinaryExpr):
        for side in (expression.lhs, expression.rhs):
            yield from selectors(side, (expression, *around))
    elif isinstance(expression, promql.Call):
        for argument in expression.args:
            yield from selectors(argument, (expression, *around))
    elif isinstance(expression, promql.AggregateExpr):
        yield from selectors(expression.expr, (expression, *around))
    elif isinstance(expression, (promql.ParenExpr, promql.UnaryExpr, promql.SubqueryExpr)):
        yield from selectors(expression.expr, around)


def violations(text: str) -> list[str]:
    """What an expression says that the metrics do not hold."""
    try:
        expression = promql.parse(text)
    except ValueError as error:
        return [f"cannot be read: {error}"]
    found = []
    for selector, around in selectors(expression):
        what = metric(selector.name)
        if what is None:
            found.append(f"{selector.name} is not a metric")
            continue
        labels = what["labels"] | TARGET_LABELS
        asked = {matcher.name for matcher in selector.matchers.matchers}
        for outer in around:
            if isinstance(outer, promql.AggregateExpr) and outer.modifier:
                asked |= set(outer.modifier.labels)
        found += [f"{selector.name} has no label {label}" for label in sorted(asked - labels)]
        aggregations = [str(outer.op) for outer in around if isinstance(outer, promql.AggregateExpr)]
        calls = [outer.func.name for outer in around if isinstance(outer, promql.Call)]
        if what["scope"] == "system" and aggregations[:1] != ["max"]:
            found.append(f"{selector.name} is of the system: copies count twice without max")
        if what["type"] in ("counter", "histogram") and what["scope"] == "process":
            if not calls or calls[0] not in ("rate", "increase"):
                found.append(f"{selector.name} starts anew with its process: take its rate or increase")
    if not list(selectors(expression)):
        found.append("asks for no metric")
    return found


def alerts() -> dict[str, str]:
    document = yaml.safe_load((OBSERVABILITY / "prometheus/alerts.yaml").read_text())
    rules = [rule for group in document["groups"] for rule in group["rules"]]
    return {f"{rule['alert']} {number}": rule["expr"] for number, rule in enumerate(rules)}


def dashboard() -> dict:
    return json.loads((OBSERVABILITY / "grafana/dashboards/errata.json").read_text())


def panels() -> dict[str, str]:
    return {
        f"{panel['title']} {panel['id']}{target['refId']}": target["expr"]
        for panel in dashboard()["panels"] for target in panel.get("targets", [])
    }


@pytest.mark.parametrize("name, text", sorted((alerts() | panels()).items()))
def test_alerts_and_panels_ask_for_metrics_that_there_are(name, text):
    assert violations(text) == []


@pytest.mark.parametrize("text, complaint", [
    ("max(errata_outbox_depth)", "errata_outbox_depth is not a metric"),
    ("rate(errata_messages[5m])", "errata_messages is not a metric"),
    ("rate(errata_teacher_answer_seconds[5m])", "is not a metric"),
    ('sum(rate(errata_messages_total{group="a"}[5m]))', "has no label group"),
    ("sum by (student) (rate(errata_messages_total[5m]))", "has no label student"),
    ("sum(errata_outbox_unpublished_events)", "copies count twice"),
    ("errata_dead_letters", "copies count twice"),
    ("sum(errata_messages_total)", "starts anew"),
    ("sum by (consumer (errata_consumer_lag_messages)", "cannot be read"),
    ("vector(1)", "asks for no metric"),
])
def test_a_planted_violation_is_found(text, complaint):
    assert any(complaint in line for line in violations(text)), violations(text)


def test_every_metric_is_on_the_dashboard():
    shown = set()
    for text in panels().values():
        for selector, _ in selectors(promql.parse(text)):
            shown.add(re.sub(r"_(bucket|sum|count)$", "", selector.name) if selector.name not in METRICS
                      else selector.name)
    assert set(METRICS) - shown == set()


def test_the_dashboard_reads_the_provisioned_source_and_its_panels_do_not_overlap():
    source = yaml.safe_load((OBSERVABILITY / "grafana/provisioning/datasources/prometheus.yaml").read_text())
    uid = source["datasources"][0]["uid"]
    taken = set()
    for panel in dashboard()["panels"]:
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == uid
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken and place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells
    ids = [panel["id"] for panel in dashboard()["panels"]]
    assert len(set(ids)) == len(ids)


def test_every_alert_says_what_and_how_bad():
    document = yaml.safe_load((OBSERVABILITY / "prometheus/alerts.yaml").read_text())
    for group in document["groups"]:
        for rule in group["rules"]:
            assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}, rule
            assert rule["labels"]["severity"] in ("critical", "warning", "info")
            assert rule["annotations"]["summary"] and rule["annotations"]["description"]


def test_every_service_is_scraped_and_missed():
    """The services that Prometheus asks, and those whose absence is an alert, are those of the compose file."""
    services = yaml.safe_load((ROOT / "compose/compose.yaml").read_text())["services"]
    ours = {name for name, service in services.items()
            if (service.get("environment") or {}).get("ERRATA_HTTP_PORT") and "data" in service["networks"]
            and "profiles" not in service and service.get("restart") != "no"}
    config = yaml.safe_load((OBSERVABILITY / "prometheus/prometheus.yaml").read_text())
    assert set(config["scrape_configs"][0]["dns_sd_configs"][0]["names"]) == ours
    missed = {re.search(r'service="([\w-]+)"', text)[1] for name, text in alerts().items() if "ServiceDown" in name}
    assert missed == ours
    assert config["scrape_configs"][0]["dns_sd_configs"][0]["port"] == 8080


def test_names_in_the_code_are_those_of_the_list():
    """A metric that is counted under a name of its own would be on no page."""
    strange = {}
    for folder in ("Shared", "Services"):
        for path in (ROOT / folder).rglob("*.swift"):
            for name in re.findall(r'label: "(errata_\w+)"', path.read_text()):
                if name not in METRICS:
                    strange[name] = str(path.relative_to(ROOT))
    assert strange == {}
