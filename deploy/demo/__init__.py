"""The whole pipeline on this machine, with a simulated fleet or with a file's readings."""
