"""`isotherm-agent replay`: the lines of a file over MQTT."""
