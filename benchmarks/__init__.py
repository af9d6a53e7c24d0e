"""Benchmarks: contenders side by side on one rig, in one run, and each run's result verified."""
