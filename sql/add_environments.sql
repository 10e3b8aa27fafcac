-- Adds environments that are not there, one element of each array an environment, ordered by id.
INSERT INTO environments (id, language, time_zone, screen_width, screen_height, beacon_version)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::integer[], $5::integer[], $6::text[])
ON CONFLICT (id) DO NOTHING
