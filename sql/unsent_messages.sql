-- The messages of the application $1 that say that an alert of one of the rules $2 is there, and were not tried yet: the row,
-- and the rule.
SELECT o.id, e.rule_id
FROM alert_outbox o
JOIN alert_episodes e ON e.id = o.episode_id
JOIN alert_transitions t ON t.episode_id = o.episode_id AND t.seq = o.seq
WHERE e.app_id = $1 AND e.rule_id = ANY ($2) AND e.ended_at IS NULL
  AND o.state IN ('due', 'grouped') AND o.attempts = 0 AND t.kind IN ('firing', 'repeated', 'escalated')
ORDER BY o.id
