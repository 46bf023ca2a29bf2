-- Lock a claimed job for settling: only the holder of the attempt token finds it.
WITH changed AS (
    SELECT * FROM jobs WHERE id = %(job_id)s AND stage = %(stage)s AND attempt_token = %(token)s FOR UPDATE
)
