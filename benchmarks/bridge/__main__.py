"""`python -m benchmarks.bridge`; scripts/bench calls it once everything is installed."""

from benchmarks.bridge.cli import main

if __name__ == "__main__":
    main()
