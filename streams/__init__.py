"""The stream app: clicks and registrations in, counts and milestones out, exactly once."""
