"""mosquitto and Kafka as processes, and the packages that they need."""
