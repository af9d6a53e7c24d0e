"""The bridge beside plain forwarders: the same messages, each run's result verified."""
