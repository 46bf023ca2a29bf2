WITH changed AS (SELECT * FROM jobs WHERE account_id = %(account_id)s AND idempotency_key = %(key)s)
