WITH changed AS (SELECT * FROM jobs WHERE id = %(job_id)s AND account_id = %(account_id)s)
