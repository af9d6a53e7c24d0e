"""MQTT: messages go out, and each is seen through to its PUBACK."""
