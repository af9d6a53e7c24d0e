"""The agent's benchmark: what it costs a board, and how fast it empties a backlog."""
