"""D30 validate: Job manifests checked without a cluster."""
