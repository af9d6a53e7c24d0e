"""A program's HTTP endpoint: a bounded server, and Prometheus' text format."""
