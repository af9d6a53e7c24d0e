"""`python -m benchmarks.aggregator`; scripts/bench calls it once everything is installed."""

from benchmarks.aggregator.cli import main

if __name__ == "__main__":
    main()
