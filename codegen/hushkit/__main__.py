"""``python -m hushkit`` is ``hushkit``."""

import sys

from hushkit.cli import main

sys.exit(main())
