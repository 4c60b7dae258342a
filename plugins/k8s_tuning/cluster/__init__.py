"""The one room that talks to Kubernetes.

connection (who and where, retries, faults) <- reader (the read-only face: all that D32 to D35 get)
                                            <- writer (the face that applies)
monitor, events and apply are the stages' doings on them; selectors, faults, kubeconfig and exec_plugin are
pure, or nearly so. No exception of lightkube or of the HTTP client leaves this package.
"""
