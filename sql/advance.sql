-- Advances checkpoints, one element of each array a file. Only where the checkpoint still stands as the reader
-- knew it; the number of rows updated says whether all did.
UPDATE checkpoints c
SET head = u.new_head, head_bytes = u.new_head_bytes, head_has_id = u.new_head_has_id,
    fork = CASE WHEN u.new_head = c.head THEN c.fork
                ELSE (SELECT coalesce(max(o.fork) + 1, 0) FROM checkpoints o WHERE o.head = u.new_head) END,
    loaded_bytes = u.to_bytes, tail = u.to_tail, tail_bytes = u.to_tail_bytes, sealed = u.seal, by_ids = u.by_ids,
    lines = c.lines + u.lines, rows = c.rows + u.rows, non_hits = c.non_hits + u.non_hits,
    rejects = c.rejects + u.rejects, already_loaded = c.already_loaded + u.already_loaded,
    first_at = least(c.first_at, u.first_at), last_at = greatest(c.last_at, u.last_at),
    committed_at = clock_timestamp()
FROM unnest($1::integer[], $2::bytea[], $3::bigint[], $4::bytea[],
            $5::bytea[], $6::integer[], $7::boolean[],
            $8::bigint[], $9::bytea[], $10::integer[], $11::boolean[],
            $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[],
            $17::timestamptz[], $18::timestamptz[], $19::boolean[])
     AS u (file_id, head, from_bytes, from_tail,
           new_head, new_head_bytes, new_head_has_id,
           to_bytes, to_tail, to_tail_bytes, seal,
           lines, rows, non_hits, rejects, already_loaded,
           first_at, last_at, by_ids)
WHERE c.file_id = u.file_id AND c.head = u.head AND c.loaded_bytes = u.from_bytes AND c.tail = u.from_tail
  AND c.unloaded_at IS NULL
