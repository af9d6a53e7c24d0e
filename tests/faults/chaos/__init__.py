"""The whole pipeline under faults that one number decides, and what must be true afterwards."""
