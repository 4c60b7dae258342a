"""The kinds of channels, a file each. To add one: a module with its CHANNEL, and its line in CHANNELS."""

from k8s_tuning.alerts.channels import (
    alertmanager,
    console,
    email_smtp,
    generic_webhook,
    pagerduty,
    slack_api,
    slack_webhook,
)
from k8s_tuning.alerts.channels.kind import ChannelConfig, ChannelKind, Draft

CHANNELS: dict[str, ChannelKind] = {
    kind.type: kind
    for kind in (
        console.CHANNEL,
        slack_webhook.CHANNEL,
        slack_api.CHANNEL,
        generic_webhook.CHANNEL,
        pagerduty.CHANNEL,
        email_smtp.CHANNEL,
        alertmanager.CHANNEL,
    )
}

__all__ = ["CHANNELS", "ChannelConfig", "ChannelKind", "Draft"]
