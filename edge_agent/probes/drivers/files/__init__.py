"""Files that the kernel or another program writes."""
