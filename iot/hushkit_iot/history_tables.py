"""The tables that keep telemetry and events, as fleet tools ask for them and the cloud answers.

On AWS an IoT rule writes each message to a DynamoDB table with partition key ``thing`` (S), sort key ``at_ms`` (N, when
the cloud received it) and attribute ``payload`` (the JSON text, or the document as a map).
"""

TABLES = {"hushkit-telemetry": "telemetry", "hushkit-events": "events"}

KEY_CONDITION = "thing = :thing AND at_ms > :after"
