"""The part of .ci/exporter that asks: usage exporter.py DIRECTORY classic|native EXPORTER PROMETHEUS."""

import gzip
import json
import sys
import time
import urllib.parse
import urllib.request

from prometheus_client.openmetrics.parser import text_string_to_metric_families

work, mode, exporter, server = sys.argv[1:]

OPEN_METRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
PROTOBUF = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited," + OPEN_METRICS
# How far a quantile may be off: one bucket (two in each power of two: at most half as much again), or what
# docs/exporter.md says of native buckets; each with what the document's own quantile may be off.
ERROR = {"classic": 0.5 + 0.004, "native": 0.049 + 0.004}[mode]


def fetch(url, **headers):
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=5) as answer:
        body = answer.read()
        if answer.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        return answer.headers["Content-Type"], body


def ask(query):
    _, body = fetch(f"{server}/api/v1/query?query={urllib.parse.quote(query)}")
    answer = json.loads(body)
    assert answer["status"] == "success", answer
    return answer["data"]["result"]


def wait_for(what, condition, seconds=30):
    deadline = time.monotonic() + seconds
    while True:
        try:
            found = condition()
            if found:
                return found
        except OSError:
            pass
        assert time.monotonic() < deadline, f"waited for {what} in vain"
        time.sleep(0.3)


def quantiles():
    document = json.loads(fetch(f"{exporter}/metrics.json")[1])
    return {m["name"]: m["quantiles"] for m in document["metrics"] if not m["labels"] and "quantiles" in m}


wait_for("the demo", lambda: fetch(f"{exporter}/readyz"))

# The OpenMetrics parser of the Python client is strict.
kind, text = fetch(f"{exporter}/metrics", Accept=OPEN_METRICS, **{"Accept-Encoding": "gzip"})
assert kind == "application/openmetrics-text; version=1.0.0; charset=utf-8", kind
families = list(text_string_to_metric_families(text.decode()))
samples = sum(len(family.samples) for family in families)
assert samples > 2_000 and any(family.unit == "seconds" for family in families), samples
try:
    list(text_string_to_metric_families(text.decode().removesuffix("# EOF\n")))
    raise SystemExit("the parser is not strict")
except ValueError:
    pass
expected = PROTOBUF if mode == "native" else "text/plain"
kind, body = fetch(f"{exporter}/metrics", Accept=expected)
assert kind.startswith("application/vnd.google.protobuf" if mode == "native" else "text/plain"), kind
if mode == "classic":
    open(f"{work}/metrics.txt", "wb").write(body)
    document = json.loads(fetch(f"{exporter}/metrics.json")[1])
    json.dump(document, open(f"{work}/metrics.json", "w"))
    document["metrics"][0]["surprise"] = 1
    json.dump(document, open(f"{work}/wrong.json", "w"))
    served = fetch(f"{exporter}/schema/metrics.json")[1]
    assert served == open("exporter/schema/metrics.schema.json", "rb").read(), "another schema is served"

# A server scrapes it, in the format that it prefers.
wait_for("the target to be up", lambda: (up := ask("up")) and up[0]["value"][1] == "1")
wait_for("some scrapes", lambda: float((ask("db_get_operations_total") or [{"value": (0, 0)}])[0]["value"][1]) > 100_000)
metadata = json.loads(fetch(f"{server}/api/v1/metadata?metric=db_wal_bytes")[1])["data"]["db_wal_bytes"][0]
# Text 0.0.4 has no units; the protobuf parser of Prometheus 2 takes none over.
assert mode == "native" or metadata["unit"] == "bytes", metadata
targets = json.loads(fetch(f"{server}/api/v1/targets")[1])["data"]["activeTargets"]
assert [target["health"] for target in targets] == ["up"] and not targets[0]["lastError"], targets

checked = 0
for name in ["db_get_latency_seconds", "db_set_latency_seconds", "db_scan_latency_seconds"]:
    series = name if mode == "native" else f"{name}_bucket"
    for q in ["0.5", "0.9", "0.99"]:
        before = quantiles()[name][q]
        # As many scrapes later as it takes for one between the two documents to be answered with.
        time.sleep(1.5)
        found = float(ask(f"histogram_quantile({q}, {series})")[0]["value"][1])
        after = quantiles()[name][q]
        low, high = min(before, after) * (1 - ERROR), max(before, after) * (1 + ERROR)
        assert low <= found <= high, f"{name} {q}: Prometheus has {found}, the document {before} and {after}"
        checked += 1
if mode == "native":
    assert not ask("db_get_latency_seconds_bucket"), "2.42 keeps the native buckets alone"
print(f"{mode}: {len(families)} families, {samples} samples; {checked} quantiles of Prometheus agree with the document's")
