"""`python -m server` is the command `alchemy`."""

from server.cli import main

raise SystemExit(main())
