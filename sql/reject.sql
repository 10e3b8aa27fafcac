-- Quarantines lines, one element of each array per span.
INSERT INTO rejected_lines (file_id, file_offset, bytes, lines, reason, detail, occurred_at, event_id, raw)
SELECT * FROM unnest($1::integer[], $2::bigint[], $3::bigint[], $4::integer[], $5::text[], $6::text[],
                     $7::timestamptz[], $8::uuid[], $9::bytea[])
