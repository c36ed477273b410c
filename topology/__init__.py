"""The topics on a cluster: made as `models.topics` says, and never changed behind anybody's back."""
