"""`python -m deploy.bench`; scripts/bench calls it once everything is installed."""

from deploy.bench.cli import main

if __name__ == "__main__":
    main()
