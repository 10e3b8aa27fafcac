-- Deletes at most $3 rejects that are older than $1. Returns how many spans, and records the deletion as done by host
-- $2.
WITH purged AS (
    DELETE FROM rejected_lines
    WHERE ctid = ANY (ARRAY(SELECT ctid FROM rejected_lines WHERE rejected_at < $1 LIMIT $3))
    RETURNING rejected_at
), noted AS (
    INSERT INTO retention_drops (host, what, from_at, until_at, count)
    SELECT $2, 'rejects', min(rejected_at), max(rejected_at), count(*) FROM purged HAVING count(*) > 0
)
SELECT count(*) FROM purged
