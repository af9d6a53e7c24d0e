"""The aggregator's benchmark: the job beside others on the same records, each result verified."""
