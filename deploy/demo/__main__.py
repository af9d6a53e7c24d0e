"""`python -m deploy.demo`; scripts/demo calls it once everything is installed."""

from deploy.demo.cli import main

if __name__ == "__main__":
    main()
