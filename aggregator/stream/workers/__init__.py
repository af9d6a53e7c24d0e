"""Exactly what Spark's executors run: from records to sums by sensor."""
