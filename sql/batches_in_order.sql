-- At most $3 entries behind the position ($1, $2), in order. Nothing can come before them later: every transaction with
-- a smaller number has ended.
SELECT xid::text::bigint, part, kind, file_id, from_offset, to_offset, offsets, first_at, last_at, rows, apps, hours
FROM batches
WHERE (xid, part) > ($1::text::xid8, $2::integer) AND xid < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY xid, part
LIMIT $3
