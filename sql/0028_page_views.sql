-- What the page views of an application are: events that its pages send, or requests of its site's own log, too.
ALTER TABLE applications ADD COLUMN page_views text NOT NULL DEFAULT 'events' CHECK (page_views IN ('events', 'requests'));

COMMENT ON COLUMN applications.page_views IS 'events: page views are events; requests: GETs that were answered with a page are page views, too';

-- Hits that an application excludes from its statistics.
CREATE OR REPLACE VIEW access_log_details AS
SELECT l.occurred_at, l.client_at, a.name AS application, a.app_key, l.event_type, l.traffic_class,
       l.url_host, l.url_path, l.url_query, l.title, l.referrer, l.referrer_host,
       u.browser, u.browser_version, u.os, u.os_version, u.device, u.user_agent,
       CASE WHEN l.traffic_class = u.traffic_class THEN u.rule
            WHEN l.traffic_class = 'headless' THEN 'automation flag'
            WHEN l.traffic_class = 'server' THEN 'posted by a server'
            WHEN l.traffic_class = 'excluded' THEN 'excluded by the application'
            WHEN l.traffic_class = 'suspect' THEN concat('host not allowed: ', l.url_host)
       END AS traffic_rule,
       l.ip, l.visitor_id, l.page_view_id, l.session_id, l.user_id, l.client_sub_id, l.module_id,
       l.dwell_ms, l.scroll_depth, l.click_x, l.click_y, l.entity_type, l.entity_id,
       l.method, l.status, l.bytes_sent, l.request_ms, l.upstream_ms, l.trace_id, l.params,
       l.event_id, l.app_id, l.file_id, f.path AS file_path, l.file_offset,
       coalesce(e.language, l.params ->> 'language') AS language,
       coalesce(e.time_zone, l.params ->> 'time_zone') AS time_zone,
       coalesce(e.screen_width, (l.params ->> 'screen_width')::integer) AS screen_width,
       coalesce(e.screen_height, (l.params ->> 'screen_height')::integer) AS screen_height,
       coalesce(e.beacon_version, l.params ->> 'beacon_version') AS beacon_version
FROM access_logs l
JOIN applications a ON a.id = l.app_id
LEFT JOIN user_agents u ON u.id = l.user_agent_id
LEFT JOIN environments e ON e.id = l.environment_id
LEFT JOIN log_files f ON f.id = l.file_id;

COMMENT ON COLUMN applications.settings IS 'JSON: store_crawlers (false: hits of bots are counted and not stored), query_allow (parameters that keep their values), exclusions (whose hits are of the class excluded)';
COMMENT ON COLUMN access_logs.traffic_class IS 'human, server (the site''s own program posted it), bot, ai_bot, monitor, headless, excluded (a rule of the application says so), or suspect (a page that is not on the application''s domains)';
COMMENT ON COLUMN access_log_details.traffic_class IS 'human, server (the site''s own program posted it), bot, ai_bot, monitor, headless, excluded (a rule of the application says so), or suspect (a page that is not on the application''s domains)';
