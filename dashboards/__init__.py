"""Grafana's dashboards, built with grafana-foundation-sdk from the names of `policykit.telemetry.names`.

`python -m dashboards` writes `grafana/*.json`; a test holds them equal. A query is made of a metric's and an
attribute's own name, so no panel can ask for a metric or a label that is not sent.
"""
