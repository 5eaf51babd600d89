"""What each query answers over synthetic telemetry, and what each alert rule does over time."""
