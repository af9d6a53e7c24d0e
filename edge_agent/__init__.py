"""The agent on the board: probes in, MQTT out."""
