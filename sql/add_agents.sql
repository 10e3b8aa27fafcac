-- Adds user agents that do not exist yet, one element of each array per agent, ordered by id.
--
-- The commit does not wait for the disk. The commit of the rows that refer to them comes later in the WAL, and does
-- wait.
INSERT INTO user_agents
    (id, user_agent, browser, browser_version, os, os_version, device, traffic_class, rule)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                     $8::text[], $9::text[])
WHERE set_config('synchronous_commit', 'off', true) IS NOT NULL
ON CONFLICT (id) DO NOTHING
