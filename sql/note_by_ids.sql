-- Records when the rows happened that were loaded by ids: $1 files, one element of each array per file, $2 the first
-- and $3 the last of the times, $4 number of rows.
INSERT INTO loaded_by_ids AS l (file_id, first_at, last_at, rows)
SELECT * FROM unnest($1::integer[], $2::timestamptz[], $3::timestamptz[], $4::bigint[]) ORDER BY 1
ON CONFLICT (file_id) DO UPDATE
SET first_at = least(l.first_at, excluded.first_at), last_at = greatest(l.last_at, excluded.last_at),
    rows = l.rows + excluded.rows, loaded_at = now()
