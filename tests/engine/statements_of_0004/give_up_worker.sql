UPDATE workers SET stopped_at = now()
WHERE id = %(worker_id)s AND stopped_at IS NULL AND heartbeat_at = %(heartbeat_at)s
