"""SMP and telemetry codecs of the serial link to a headset."""
