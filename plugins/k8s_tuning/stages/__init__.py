"""What each stage knows and decides: D29 generate to D36 pipeline, a file a stage. No Airflow, no HTTP, no cluster.

The world comes in as arguments (a Job as the API has it, a snapshot, a time); dataclasses and texts go out.
"""
