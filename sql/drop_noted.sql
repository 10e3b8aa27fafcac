-- Records that a partition is dropped in this transaction: $1 host, $2 its name, $3 and $4 its bounds. Returns
-- PostgreSQL's estimate of its number of rows, or NULL if there is none.
WITH noted AS (
    INSERT INTO retention_drops (host, what, name, from_at, until_at, count)
    SELECT $1, 'rows', $2, $3, $4, CASE WHEN c.reltuples >= 0 THEN c.reltuples::bigint END
    FROM pg_class c
    WHERE c.oid = to_regclass($2)
    RETURNING count
), entered AS (
    INSERT INTO batches (part, kind, first_at, last_at, apps, hours) SELECT 1, 'expired', $3, $4, '{}', '{}' FROM noted
)
SELECT count FROM noted
