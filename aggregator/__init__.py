"""The Spark job: four analytics every trigger, and what they were computed from."""
