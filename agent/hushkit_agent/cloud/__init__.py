"""AWS IoT Core, or the local one, at the edge."""
