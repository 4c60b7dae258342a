"""D31 apply: what would be done for each manifest, and where it may be done."""
