-- How it stands with alerts: rules; seconds for which the application that is farthest behind was not judged; marks;
-- applications with rules that cannot be judged; messages that are due, for how long the oldest has waited, and those that were
-- given up in the last day.
SELECT (SELECT count(*) FROM (SELECT DISTINCT ON (rule_id) text FROM alert_rule_versions ORDER BY rule_id, version DESC) v
        WHERE v.text IS NOT NULL),
       (SELECT extract(epoch FROM clock_timestamp() - min(judged_at))::double precision FROM alert_apps j
        WHERE EXISTS (SELECT FROM applications a WHERE a.id = j.app_id)),
       (SELECT count(*) FROM alert_dirty),
       (SELECT count(DISTINCT app_id) FROM alert_troubles),
       (SELECT count(*) FROM alert_outbox WHERE state = 'due'),
       (SELECT extract(epoch FROM clock_timestamp() - min(made_at))::double precision FROM alert_outbox WHERE state = 'due'),
       (SELECT count(*) FROM alert_outbox WHERE state = 'dead' AND done_at > now() - interval '1 day')
