UPDATE workers SET low_disk = %(low_disk)s WHERE id = %(worker_id)s AND stopped_at IS NULL
