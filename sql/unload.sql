-- Takes rows out, updates the counts of their files, and enters the change into the ledger: $1 file or NULL, $2
-- application or NULL, $3 and $4 the beginning and the end of the period in which they happened. Returns the number of
-- rows.
WITH gone AS (
    DELETE FROM access_logs
    WHERE ($1::integer IS NULL OR file_id = $1) AND ($2::integer IS NULL OR app_id = $2)
      AND occurred_at >= $3 AND occurred_at < $4
    RETURNING file_id, app_id, occurred_at
), by_file AS (
    SELECT file_id, count(*) AS rows FROM gone GROUP BY file_id
), moved AS (
    -- Rows that were loaded beside the checkpoint were never counted in it.
    UPDATE checkpoints c
    SET rows = c.rows - least(c.rows, b.rows), unloaded = c.unloaded + least(c.rows, b.rows)
    FROM by_file b
    WHERE c.file_id = b.file_id
), touched AS (
    SELECT app_id, floor(extract(epoch FROM occurred_at) / 3600)::integer AS hour,
           min(occurred_at) AS first_at, max(occurred_at) AS last_at, count(*) AS rows
    FROM gone
    GROUP BY 1, 2
), entered AS (
    INSERT INTO batches (part, kind, file_id, first_at, last_at, rows, apps, hours)
    SELECT row_number() OVER (), 'removed', $1, min(first_at), max(last_at), sum(rows), array_agg(app_id), array_agg(hour)
    FROM touched
    GROUP BY app_id
)
SELECT coalesce(sum(rows), 0)::bigint FROM by_file
