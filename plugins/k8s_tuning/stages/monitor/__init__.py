"""D32 monitor: the Jobs and pods of the API, as one snapshot."""
