-- Replaces a head that was stored while the file was short by the longer one: $1 file, $2 head as the reader knew it,
-- $3 longer head, $4 its bytes, $5 whether it contains an event's id.
UPDATE checkpoints
SET head = $3, head_bytes = $4, head_has_id = $5,
    fork = (SELECT coalesce(max(o.fork) + 1, 0) FROM checkpoints o WHERE o.head = $3)
WHERE file_id = $1 AND head = $2
