"""What a fleet operator does, against AWS IoT Core or the local one: same calls, another endpoint."""
