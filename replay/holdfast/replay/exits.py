"""Exit codes of the command line, as README documents them."""

DIFFERENT = 1  # A difference was found, or a promise was broken.
USAGE = 2  # Wrong usage or configuration.
UNREADABLE = 4  # The input is unreadable or corrupt.
INTERRUPTED = 130  # Ended by SIGINT.
