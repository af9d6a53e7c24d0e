"""The page: what the job's snapshots say, live, in a process of its own."""
