"""`python -m voicelane`: the command `voicelane`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
