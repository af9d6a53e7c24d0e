"""`python -m deploy.local up|down|status`."""

from deploy.local.cli import main

if __name__ == "__main__":
    main()
