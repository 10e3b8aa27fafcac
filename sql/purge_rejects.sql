-- Deletes at most $3 rejects that are older than $1 and stand behind place $4 of the table, so that a purge in slices
-- does not read again what it has deleted. Returns how many spans, and the last place. Records the deletion as done by
-- host $2. The index by time is not used on purpose: with it, each slice would begin at the first place.
WITH purged AS (
    DELETE FROM rejected_lines
    WHERE ctid = ANY (ARRAY(SELECT ctid FROM rejected_lines
                            WHERE ctid > $4::text::tid AND rejected_at + interval '0' < $1 LIMIT $3))
    RETURNING ctid AS place, rejected_at
), noted AS (
    INSERT INTO retention_drops (host, what, from_at, until_at, count)
    SELECT $2, 'rejects', min(rejected_at), max(rejected_at), count(*) FROM purged HAVING count(*) > 0
)
SELECT count(*), max(place)::text FROM purged
