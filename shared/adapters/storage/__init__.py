"""Table Storage and Storage queues: rows, state, snapshots, leases and messages."""
