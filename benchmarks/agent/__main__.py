"""`python -m deploy.bench.agent`; scripts/bench calls it once everything is installed."""

from deploy.bench.agent.cli import main

if __name__ == "__main__":
    main()
