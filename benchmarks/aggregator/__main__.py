"""`python -m deploy.bench.aggregator`; scripts/bench calls it once everything is installed."""

from deploy.bench.aggregator.cli import main

if __name__ == "__main__":
    main()
