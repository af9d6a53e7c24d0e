"""From the configured probes to samples: when each is read, and what it gave."""
