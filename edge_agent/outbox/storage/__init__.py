"""The outbox's file: SQLite, who commits to it, and what is done when it is damaged or removed."""
