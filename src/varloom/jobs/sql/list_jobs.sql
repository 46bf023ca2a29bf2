-- Newest first, from after the job that the last page ended with.
WITH changed AS (
    SELECT jobs.* FROM jobs
    WHERE jobs.account_id = %(account_id)s AND jobs.dismissed_at IS NULL
      AND (%(ids)s::uuid[] IS NULL OR jobs.id = ANY (%(ids)s))
      AND (%(states)s::text[] IS NULL OR jobs.state = ANY (%(states)s))
      AND (%(before_at)s::timestamptz IS NULL OR (jobs.created_at, jobs.id) < (%(before_at)s, %(before_id)s::uuid))
      AND (%(since)s::timestamptz IS NULL OR jobs.created_at >= %(since)s)
      AND (%(until)s::timestamptz IS NULL OR jobs.created_at < %(until)s)
      AND (%(search)s::text IS NULL OR jobs.sample_name ILIKE %(search)s
           OR EXISTS (SELECT 1 FROM uploads WHERE uploads.id = jobs.upload_id AND uploads.name ILIKE %(search)s)
           OR EXISTS (SELECT 1 FROM upload_files AS further
                      WHERE further.upload_id = jobs.upload_id AND further.name ILIKE %(search)s))
    ORDER BY jobs.created_at DESC, jobs.id DESC
    LIMIT %(limit)s
)
