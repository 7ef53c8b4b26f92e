"""`python -m voicelane`: the command `voicelane`."""

import sys

from .cli import main

sys.exit(main())
