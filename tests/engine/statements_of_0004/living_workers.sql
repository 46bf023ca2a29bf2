SELECT id, host, pid, version, slots, started_at, heartbeat_at FROM workers WHERE stopped_at IS NULL ORDER BY started_at
