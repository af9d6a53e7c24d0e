"""Where snapshots come from: a file or a topic, checked before anything is kept."""
