"""SMP and telemetry codecs of the serial link to a headset; no input or output of their own."""
