"""`python -m benchmarks.agent`; scripts/bench calls it once everything is installed."""

from benchmarks.agent.cli import main

if __name__ == "__main__":
    main()
