"""`make up`: Airflow with its UI on loopback, the sandbox or $KUBECONFIG behind it; Ctrl-C stops all of it."""

from __future__ import annotations

import os
import signal
import socket
import sys
import webbrowser

from local_airflow import ROOT, cluster, environment, serve

HOME = ROOT / ".airflow" / "up"


def main() -> int:
    """Run until Ctrl-C or SIGTERM."""
    port = int(os.environ.get("PORT", "8080"))
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            print(f"Port {port} is taken; choose another: PORT=8081 make up", file=sys.stderr)
            return 1
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    HOME.mkdir(parents=True, exist_ok=True)
    print("Starting Airflow …", flush=True)
    try:
        with (
            cluster() as (kubeconfig, is_sandbox),
            serve(HOME, environment(HOME, kubeconfig), port) as airflow,
        ):
            page = f"{airflow.address}/plugin/k8s-tuning"
            passwords = airflow.passwords
            print(
                f"""
  Health page  {page}
  Airflow      {airflow.address}
  Logins       admin, password: {passwords["admin"]}    viewer (looks only), password: {passwords["viewer"]}
  Cluster      {"the sandbox" if is_sandbox else "yours"}: KUBECONFIG={kubeconfig} kubectl -n trading-bots get jobs
  Log          {airflow.log.relative_to(ROOT)}

In the UI: Dags, k8s_tuning_pipeline, Trigger; "Apply the Jobs" creates them. Ctrl-C here stops everything.""",
                flush=True,
            )
            if has_browser():
                webbrowser.open(page)
            return airflow.process.wait()
    except KeyboardInterrupt:
        print("\nStopped.", flush=True)
        return 0


def has_browser() -> bool:
    """Whether somebody sits before this who would see a window; a text browser would take the terminal away."""
    has_windows = sys.platform in ("darwin", "win32") or bool({"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys())
    return has_windows and sys.stdout.isatty() and "CI" not in os.environ


if __name__ == "__main__":
    sys.exit(main())
