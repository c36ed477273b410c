"""The same job in other engines, measured beside ours; see README.md."""
