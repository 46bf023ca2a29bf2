-- One at a time returns the work of a dead worker.
SELECT id FROM workers WHERE id = %(worker_id)s AND stopped_at IS NOT NULL FOR NO KEY UPDATE
