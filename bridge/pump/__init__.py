"""From arrived messages to confirmed batches, and back to acknowledgements."""
