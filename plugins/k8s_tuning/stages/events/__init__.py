"""D34 events: which of a namespace's events belong to the selection."""
