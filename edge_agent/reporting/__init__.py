"""What the agent says of itself: retained status, Home Assistant, HTTP and systemd."""
