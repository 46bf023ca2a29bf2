DELETE FROM pauses WHERE stage = %(stage)s OR account_id = %(account_id)s
