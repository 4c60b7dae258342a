"""The one room that talks to Kubernetes. No exception of the HTTP client leaves this package.

connection (who and where, retries, faults) <- reader (the read-only face: all that D32 to D35 get)
                                            <- writer (the face that applies)
monitor, events and apply are the stages' work on them; selectors, faults, refusals, listing, exchange and retries are
pure.
"""
