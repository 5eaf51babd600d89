"""The simulators of the local cloud behave as Microsoft's services do."""
