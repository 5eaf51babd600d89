"""What timers do for all tenants, range by range of their ids: the tick, sweeps, orphaned rows."""
