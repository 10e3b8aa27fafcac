-- The rules with most alerts, of an application ($1; NULL: of all), that began from $2 on: the rule, how many, and the seconds for
-- which they were open.
SELECT r.name, count(*),
       sum(extract(epoch FROM coalesce(e.ended_at, greatest(clock_timestamp(), e.began_at)) - e.began_at))::double precision
FROM alert_episodes e JOIN alert_rules r ON r.id = e.rule_id
WHERE ($1::integer IS NULL OR e.app_id = $1) AND e.began_at >= $2
  AND e.corrected_at IS NULL AND e.superseded_by IS NULL
GROUP BY r.name ORDER BY count(*) DESC, r.name LIMIT 10
