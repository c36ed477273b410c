"""Records into the source topics: JSON lines, keyed and partitioned right, each acknowledged or named."""
