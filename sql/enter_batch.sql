-- Enters what a batch adds into the ledger, one row for each file. The arrays of a file are texts: unnest would
-- flatten arrays of arrays.
INSERT INTO batches (part, kind, file_id, from_offset, to_offset, offsets, first_at, last_at, rows, apps, hours)
SELECT part, 'rows', file_id, from_offset, to_offset, offsets::bigint[], first_at, last_at, rows, apps::integer[],
       hours::integer[]
FROM unnest($1::integer[], $2::bigint[], $3::bigint[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::bigint[],
            $8::text[], $9::text[]) WITH ORDINALITY
     AS b (file_id, from_offset, to_offset, offsets, first_at, last_at, rows, apps, hours, part)
