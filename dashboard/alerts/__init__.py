"""Alerts for those who run no Prometheus: from snapshots to webhook, MQTT and Apprise."""
