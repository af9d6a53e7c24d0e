"""Grafana: provisioning, and two dashboards that are written from tables of panels."""
