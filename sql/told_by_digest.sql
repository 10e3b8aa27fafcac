-- What the message $1 about several alerts tells the channel $2, the oldest alert first: each as it stands now.
SELECT id, state, at, severity, title, rule, application, labels, value, threshold, began_at, ended_at
FROM (SELECT DISTINCT ON (e.id)
             e.id, CASE e.state WHEN 'corrected' THEN 'corrected' WHEN 'superseded' THEN 'corrected'
                                WHEN 'resolved' THEN 'resolved' ELSE 'firing' END AS state,
             t.at, e.severity, e.title, r.name AS rule, coalesce(a.name, '') AS application, k.labels::text AS labels,
             e.value, e.threshold, e.began_at, e.ended_at
      FROM alert_outbox o
      JOIN alert_transitions t ON t.episode_id = o.episode_id AND t.seq = o.seq
      JOIN alert_episodes e ON e.id = o.episode_id
      JOIN alert_keys k ON k.id = e.key_id
      JOIN alert_rules r ON r.id = e.rule_id
      LEFT JOIN applications a ON a.id = e.app_id
      WHERE o.digest = $1 AND o.channel = $2
      ORDER BY e.id, o.seq DESC) last
ORDER BY began_at, id
LIMIT 1000
