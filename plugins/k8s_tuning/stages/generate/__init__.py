"""D29 generate: a session's configuration, its search space, and the Job manifests made of them."""
