-- How far each application, or the one with the key $2, and the installation ($1) is judged, and why it or a rule of it cannot
-- be: public key, name; since when it cannot be, up to when it is judged, when it was made, now; the reason, the rule, what was said.
SELECT a.app_key, a.name, t.since_at, j.judged_at, a.created_at, clock_timestamp(), t.reason, r.name, t.why
FROM (SELECT id, app_key, name, created_at FROM applications UNION ALL SELECT $1, '', '', NULL) a
LEFT JOIN alert_apps j ON j.app_id = a.id
LEFT JOIN alert_troubles t ON t.app_id = a.id
LEFT JOIN alert_rules r ON r.id = t.rule_id
WHERE $2::integer IS NULL OR a.id = $2
ORDER BY a.id, r.name
