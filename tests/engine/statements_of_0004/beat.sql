-- A living worker says so. No row: it was given up for dead, and its work with it.
UPDATE workers SET heartbeat_at = now() WHERE id = %(worker_id)s AND stopped_at IS NULL RETURNING id
