"""`python -m commands` is `referrals`."""

from commands.main import main

main()
