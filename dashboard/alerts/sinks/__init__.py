"""Where alerts go: one module for each sink."""
