"""The drivers of probes: each module here is one (see `edge_agent.probe`)."""
