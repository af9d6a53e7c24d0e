"""The bridge: MQTT in, Kafka out, an acknowledgement only for what Kafka confirmed."""
