"""What a headset's agent may do, once: as an AWS IoT policy, and as the local broker's access list.

Least privilege: connect under the own thing name, ask for and update the own classic shadow, hear its answers, publish
own status (retained), telemetry and events. Nothing of another thing, and no deleting of shadows.
"""

import json
from typing import Literal

from hushkit_iot import topics

_THING = "${iot:Connection.Thing.ThingName}"

OPERATOR = "hushkit-operator"
ENGINE = "hushkit-engine"


def published(thing: str) -> tuple[str, ...]:
    """Topics the agent of ``thing`` publishes to."""
    shadow = topics.shadow(thing)
    return (
        f"{shadow}/get",
        f"{shadow}/update",
        topics.status(thing),
        topics.telemetry(thing),
        topics.events(thing),
    )


def received(thing: str) -> tuple[str, ...]:
    """Topics the agent of ``thing`` subscribes to."""
    shadow = topics.shadow(thing)
    return (
        f"{shadow}/get/accepted",
        f"{shadow}/get/rejected",
        f"{shadow}/update/accepted",
        f"{shadow}/update/rejected",
        f"{shadow}/update/delta",
    )


def aws_policy(region: str, account: str) -> str:
    """Render the AWS IoT policy document for agents, JSON; thing-name variables make one policy fit every headset."""

    def arns(kind: Literal["client", "topic", "topicfilter"], names: tuple[str, ...]) -> list[str]:
        return [f"arn:aws:iot:{region}:{account}:{kind}/{name}" for name in names]

    statements = [
        {
            "Sid": "ConnectAsOwnThing",
            "Effect": "Allow",
            "Action": "iot:Connect",
            "Resource": arns("client", (_THING,)),
            "Condition": {"Bool": {"iot:Connection.Thing.IsAttached": "true"}},
        },
        {
            "Sid": "PublishOwnTopics",
            "Effect": "Allow",
            "Action": "iot:Publish",
            "Resource": arns("topic", published(_THING)),
        },
        {
            "Sid": "RetainOwnStatus",
            "Effect": "Allow",
            "Action": "iot:RetainPublish",
            "Resource": arns("topic", (topics.status(_THING),)),
        },
        {
            "Sid": "SubscribeOwnShadow",
            "Effect": "Allow",
            "Action": "iot:Subscribe",
            "Resource": arns("topicfilter", received(_THING)),
        },
        {
            "Sid": "ReceiveOwnShadow",
            "Effect": "Allow",
            "Action": "iot:Receive",
            "Resource": arns("topic", received(_THING)),
        },
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2) + "\n"


def mosquitto_acl() -> str:
    """Render the local broker's access list: the same rights, with the certificate's name for ``%u``.

    The engine and the operator see everything; the engine alone may answer on shadow topics.
    """
    lines = ["# Generated from hushkit_iot.policy; the AWS twin is iot/policies/headset_agent.json."]
    lines += [f"pattern write {topic}" for topic in published("%u")]
    lines += [f"pattern read {topic}" for topic in received("%u")]
    for user in (ENGINE, OPERATOR):
        lines += ["", f"user {user}", "topic readwrite #", "topic readwrite $aws/#"]
    lines += ["topic read $SYS/#"]
    return "\n".join(lines) + "\n"
