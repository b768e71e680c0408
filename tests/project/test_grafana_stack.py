"""The files beside the dashboards (Collector, compose, provisioning): what can be held of them without their images."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from policykit.telemetry import names

HERE = Path(__file__).resolve().parent.parent.parent / "dashboards"


def _read(name: str) -> Any:
    return yaml.safe_load((HERE / name).read_text(encoding="utf-8"))


def _redaction() -> Any:
    return _read("otel-collector.yaml")["processors"]["redaction"]


def _masked(value: str) -> str:
    """Return a value as the redaction processor leaves it: each match is asterisks."""
    for pattern in _redaction()["blocked_values"]:
        value = re.sub(pattern, "****", value)
    return value


def test_every_pipeline_of_the_collector_is_redacted_before_it_is_batched() -> None:
    """Whatever leaves the Collector went through redaction; every component of a pipeline is defined, none is idle."""
    config = _read("otel-collector.yaml")
    pipelines = config["service"]["pipelines"]
    assert set(pipelines) == {"traces", "metrics"}
    used: dict[str, set[str]] = {"receivers": set(), "processors": set(), "exporters": set()}
    for pipeline in pipelines.values():
        assert pipeline["processors"] == ["memory_limiter", "redaction", "batch"]
        for kind, found in used.items():
            found |= set(pipeline[kind])
    assert {kind: set(config[kind]) for kind in used} == used


@pytest.mark.parametrize(
    "value",
    [
        "https://api.binance.com/api/v3/order?symbol=BTCUSDT&timestamp=1&signature={secret}",
        "https://api.binance.com/api/v3/order?signature={secret}&symbol=BTCUSDT",
        "https://x/?apiKey={secret}",
        "https://user:{secret}@proxy:8080/",
        "Bearer {secret}",
    ],
)
def test_a_secret_in_a_value_is_masked(value: str) -> None:
    """Signatures and keys in URLs, credentials before a host, bearer tokens: masked; the rest of the value stays."""
    secret = "5f3a91c0d2e4b6a8f7c1e3d5a9b0c2d4"
    masked = _masked(value.format(secret=secret))
    assert secret not in masked
    assert "****" in masked
    assert ("symbol=BTCUSDT" in masked) == ("symbol=BTCUSDT" in value)


def test_what_policykit_says_is_not_masked() -> None:
    """No attribute of names.py has a name that is blocked, and a usual denial stays as it is."""
    (pattern,) = _redaction()["blocked_key_patterns"]
    assert [a.name for a in names.ATTRIBUTES if re.fullmatch(pattern, a.name)] == []
    for name in ("http.request.header.x-mbx-apikey", "http.request.header.OK-ACCESS-SIGNATURE", "db.password"):
        assert re.fullmatch(pattern, name)
    said = "order notional 30000 USDT is over max_order_notional 1500 USDT (1.5% of equity)"
    assert _masked(said) == said


def test_compose_mounts_what_is_there_and_keeps_to_loopback() -> None:
    """Each image has a version, each mounted file is there, nothing is published, and listeners are on 127.0.0.1."""
    compose = _read("compose.yaml")
    for name, service in compose["services"].items():
        image, _, version = service["image"].rpartition(":")
        assert image, name
        assert re.fullmatch(r"v?\d+\.\d+\.\d+", version), service["image"]
        assert "ports" not in service
        for volume in service["volumes"]:
            source, *_ = volume.split(":")
            assert (HERE / source).exists() if source.startswith(".") else source in compose["volumes"], volume
    told = "\n".join(
        (HERE / name).read_text(encoding="utf-8") for name in ("otel-collector.yaml", "tempo.yaml", "compose.yaml")
    )
    assert "0.0.0.0" not in told
    listening = re.findall(r"(?:listen[-_]address[:=]\s*|endpoint: \"|HTTP_ADDR: )([^\s,}\"]+)", told)
    assert len(listening) >= 8
    assert [each for each in listening if "127.0.0.1" not in each] == []


def test_provisioned_sources_are_those_that_listen() -> None:
    """Grafana asks Prometheus and Tempo where compose starts them, and finds the dashboards where they are mounted."""
    urls = {source["type"]: source["url"] for source in _read("provisioning/datasources.yaml")["datasources"]}
    tempo = _read("tempo.yaml")["server"]
    assert urls == {"prometheus": "http://127.0.0.1:9090", "tempo": f"http://127.0.0.1:{tempo['http_listen_port']}"}
    (provider,) = _read("provisioning/dashboards.yaml")["providers"]
    mounts = _read("compose.yaml")["services"]["grafana"]["volumes"]
    assert f"./grafana:{provider['options']['path']}:ro" in mounts
    exporters = _read("otel-collector.yaml")["exporters"]
    receiver = _read("tempo.yaml")["distributor"]["receivers"]["otlp"]["protocols"]["http"]["endpoint"]
    assert exporters["otlphttp/tempo"]["endpoint"] == f"http://{receiver}"
    assert exporters["otlphttp/prometheus"]["endpoint"].startswith(urls["prometheus"])
