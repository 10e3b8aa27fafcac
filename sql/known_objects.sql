-- Which archive objects contain only what is loaded. $1 URIs, $2 beginnings of head hashes (or NULL) and $3 lengths of
-- the logs in them. Returns their positions, counted from 1. An object matches by itself, as archived from here or
-- loaded from there, or by a log that begins with the same event and has the same length.
SELECT u.n::integer
FROM unnest($1::text[], $2::bytea[], $3::bigint[]) WITH ORDINALITY AS u (uri, head, raw_bytes, n)
WHERE EXISTS (
        SELECT FROM log_files f JOIN checkpoints c ON c.file_id = f.id
        WHERE (f.archive_uri = u.uri OR f.path = u.uri)
          AND c.sealed AND c.loaded_bytes = u.raw_bytes AND c.unloaded_at IS NULL AND c.unloaded = 0)
   OR EXISTS (
        SELECT FROM checkpoints c
        WHERE substr(c.head, 1, 8) = u.head AND c.head_has_id
          AND c.sealed AND c.loaded_bytes = u.raw_bytes AND c.unloaded_at IS NULL AND c.unloaded = 0)
