"""MQTT: publishes messages at QoS 1, and follows each until its PUBACK."""
