"""MQTT's topics, and the status that a device publishes."""
