-- Adds user agents that are not there, one element of each array an agent, ordered by id.
--
-- Their commit is not waited for: that of the rows that refer to them comes after it in the WAL, and is.
INSERT INTO user_agents
    (id, user_agent, browser, browser_version, os, os_version, device, traffic_class, rule)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                     $8::text[], $9::text[])
WHERE set_config('synchronous_commit', 'off', true) IS NOT NULL
ON CONFLICT (id) DO NOTHING
