"""What starts the app: HTTP, queues and timers. Parse, call one service, answer; no rules."""
