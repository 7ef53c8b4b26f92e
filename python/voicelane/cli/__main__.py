"""`python -m voicelane.cli`."""

import sys

from . import main

sys.exit(main())
