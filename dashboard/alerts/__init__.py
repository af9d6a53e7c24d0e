"""Alerts for those who run no Prometheus: from snapshots to a webhook and an MQTT topic."""
