"""The numbers: what one trigger gives, and over which readings."""
