SELECT id FROM jobs WHERE worker_id = %(worker_id)s AND cancel_requested_at IS NOT NULL
