"""The sinks on librdkafka (confluent-kafka)."""
