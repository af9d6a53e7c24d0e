"""What the probes gave and the broker has not acknowledged yet, in a file that outlives a crash."""
