"""The local cloud behaves as Microsoft's services do."""
