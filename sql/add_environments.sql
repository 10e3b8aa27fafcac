-- Adds environments that do not exist yet, one element of each array per environment, ordered by id.
--
-- The commit does not wait for the disk. The commit of the rows that refer to them comes later in the WAL, and does
-- wait.
INSERT INTO environments (id, language, time_zone, screen_width, screen_height, beacon_version)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::integer[], $5::integer[], $6::text[])
WHERE set_config('synchronous_commit', 'off', true) IS NOT NULL
ON CONFLICT (id) DO NOTHING
