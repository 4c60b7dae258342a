"""D32 monitor: the Jobs and pods that the API gives, as one snapshot."""
