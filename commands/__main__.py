"""`python -m commands` is `referrals`."""

import signal

# Until `main` has its own way to stop: an exception in the middle of an import would be shown with where it came.
signal.signal(signal.SIGINT, signal.SIG_DFL)

from commands.main import main  # noqa: E402

main()
