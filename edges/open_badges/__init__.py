"""Open Badges 3.0: an award as a signed credential, which its holder takes along and anybody can verify."""
