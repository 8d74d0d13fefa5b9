"""Local IoT Core and fleet tools."""
