"""Agent: bridges one headset to AWS IoT Core."""
