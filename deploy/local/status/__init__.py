"""What runs in a data folder: asked, and shown in one table."""
