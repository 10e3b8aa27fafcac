-- What a crawler or another program calls itself is its browser, as rows that come from now on have it. Days with programs that are
-- called otherwise now are computed again.

WITH listed AS (
    SELECT id, user_agent, browser, trim(trailing '/' FROM trim(substr(rule, strpos(rule, ':') + 1))) AS name
    FROM user_agents
    WHERE rule ~ '^(crawler|ai_user|prefetch|monitor|headless):'
), found AS (
    SELECT id, browser, coalesce(
        substring(user_agent from '[A-Za-z0-9_.!-]*' || regexp_replace(name, '([^A-Za-z0-9])', '\\\1', 'g') || '[A-Za-z0-9_.!-]*'),
        name
    ) AS name
    FROM listed
    WHERE name ~ '^[A-Za-z0-9_.! -]{1,60}$'
)
UPDATE user_agents u SET browser = left(f.name, 60), browser_version = NULL
FROM found f
WHERE u.id = f.id AND u.browser IS DISTINCT FROM left(f.name, 60);

INSERT INTO stat_dirty (app_id, day)
SELECT DISTINCT s.app_id, s.day
FROM stat_daily s
JOIN stat_days d ON d.app_id = s.app_id AND d.day = s.day AND d.frozen_at IS NULL
WHERE s.dimension = 'browser' AND s.traffic_class <> 'human';

COMMENT ON COLUMN user_agents.browser IS 'Chrome, Safari, Firefox …; of a crawler or another program its own name; NULL: unknown';
COMMENT ON COLUMN user_agents.browser_version IS 'As the browser or the program writes it';
COMMENT ON COLUMN access_log_details.browser IS 'Chrome, Safari, Firefox …; of a crawler or another program its own name; NULL: unknown';
COMMENT ON COLUMN access_log_details.browser_version IS 'As the browser or the program writes it';
