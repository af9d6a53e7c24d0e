"""The way into Kafka: addresses, TLS, passwords, clients."""
