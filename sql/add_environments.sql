-- Adds environments that are not there, one element of each array an environment, ordered by id.
--
-- Their commit is not waited for: that of the rows that refer to them comes after it in the WAL, and is.
INSERT INTO environments (id, language, time_zone, screen_width, screen_height, beacon_version)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::integer[], $5::integer[], $6::text[])
WHERE set_config('synchronous_commit', 'off', true) IS NOT NULL
ON CONFLICT (id) DO NOTHING
