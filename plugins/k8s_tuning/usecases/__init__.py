"""What operators, CLI and runner do, once: a file a use case. Knows no Airflow, no argparse and no HTTP server.

Clients, stores and clocks come in as arguments; dataclasses go out. The three faces keep their own manners: XCom and
retries, flags and exit codes, a run's steps in words.
"""
