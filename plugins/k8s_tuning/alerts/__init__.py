"""Alerts that can be trusted: decide what to say, deliver it, and keep a ledger of both. Knows no Airflow.

One alert's way, each step a type that refers to the one before it:

    Observation      what is seen of one target, or of this system itself (`observation`)
    IncidentUpdate   what that makes of the incident that the ledger has (`incident_update`)
    Decision         one incident, one channel, one Reason (`decide`, by the rules in `judge`)
    Notice           one message to one channel: decisions that are grouped (`plan`)
    Outcome          what became of it: a Result (`deliver`, by a kind of channel in `channels/`)

A Decision and an Outcome are written down as LedgerLine, the one form that decisions, metrics and pages read. Up to
`plan` all of it is pure: the world comes in as arguments.

The surface is two functions: `plan_notices` returns the notices that are to go out now (JSON-able, without secrets),
and `deliver_notice` hands one of them to its channel. `observe_target`, `own_failure` and `smoke_notices` make their
input.

What a retry, a crash or a second run at the same time may do (docs/alert.md: a crash, a ledger that fails, dry runs):

- Planning writes a line for every decision. One that is to be sent is *pending* from then on, until an attempt's line
  says `sent`.
- A notice's id derives from run, incidents and the records behind them, receiver, channel and what it says. Before
  sending, `deliver_notice` asks the ledger: what was sent is not sent again, so that a task's retry is harmless. Nor is
  a notice sent that a later one has overtaken.
- What is pending goes out with the next run, as it stands then. For CLAIM_SECONDS after planning it is left to the run
  that planned it, so that two runs at once say it once.
- An incident is remembered here from its first decision on (its id, its start), so that neither the history's retention
  nor a limit on reading it can make its id another. It is over once the target has been OK, and has not failed a check,
  for the configured hold time; a resolve goes to the channels whose firing was delivered, once.
"""

from k8s_tuning.alerts.config import AlertingConfig, load_config
from k8s_tuning.alerts.credentials import ChannelSecret
from k8s_tuning.alerts.deliver import deliver_notice
from k8s_tuning.alerts.ledger import Ledger
from k8s_tuning.alerts.manager import AlertChannelConfig, K8sAlertManager
from k8s_tuning.alerts.notice import Notice, Outcome
from k8s_tuning.alerts.observation import Observation, no_longer_watched, observe_target, own_failure
from k8s_tuning.alerts.plan import plan_notices, smoke_notices

__all__ = [
    "AlertChannelConfig",
    "AlertingConfig",
    "ChannelSecret",
    "K8sAlertManager",
    "Ledger",
    "Notice",
    "Observation",
    "Outcome",
    "deliver_notice",
    "load_config",
    "no_longer_watched",
    "observe_target",
    "own_failure",
    "plan_notices",
    "smoke_notices",
]
