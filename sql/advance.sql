-- Advances checkpoints, one element of each array per file, only if the checkpoint still is as the reader knew it. The
-- number of updated rows shows whether all were advanced.
UPDATE checkpoints c
SET loaded_bytes = u.to_bytes, tail = u.to_tail, tail_bytes = u.to_tail_bytes, sealed = u.seal, by_ids = u.by_ids,
    lines = c.lines + u.lines, rows = c.rows + u.rows, non_hits = c.non_hits + u.non_hits,
    rejects = c.rejects + u.rejects, already_loaded = c.already_loaded + u.already_loaded,
    first_at = least(c.first_at, u.first_at), last_at = greatest(c.last_at, u.last_at),
    committed_at = clock_timestamp()
FROM unnest($1::integer[], $2::bytea[], $3::bigint[], $4::bytea[],
            $5::bigint[], $6::bytea[], $7::integer[], $8::boolean[],
            $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[],
            $14::timestamptz[], $15::timestamptz[], $16::boolean[])
     AS u (file_id, head, from_bytes, from_tail,
           to_bytes, to_tail, to_tail_bytes, seal,
           lines, rows, non_hits, rejects, already_loaded,
           first_at, last_at, by_ids)
WHERE c.file_id = u.file_id AND c.head = u.head AND c.loaded_bytes = u.from_bytes AND c.tail = u.from_tail
  AND c.unloaded_at IS NULL
