-- Puts the longer beginning of a file in the place of the one that was stored while the file was short: $1 the file, $2 the
-- beginning as the reader knew it, $3 the longer one, $4 its bytes, $5 whether it holds an event's id.
UPDATE checkpoints
SET head = $3, head_bytes = $4, head_has_id = $5,
    fork = (SELECT coalesce(max(o.fork) + 1, 0) FROM checkpoints o WHERE o.head = $3)
WHERE file_id = $1 AND head = $2
