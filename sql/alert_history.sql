-- What became of the alert $1, what people did to it, and what was told of it.
SELECT what, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), kind, seq, who, note
FROM (SELECT 'transition' AS what, t.at, t.kind, t.seq, NULL AS who, t.value::text AS note, t.made_at AS found_at
      FROM alert_transitions t WHERE t.episode_id = $1
      UNION ALL
      SELECT 'act', c.at, c.kind, NULL, c.done_by, c.note, c.done_at
      FROM alert_acts c JOIN alert_episodes e ON e.key_id = c.key_id
      WHERE e.id = $1 AND c.at >= e.began_at AND (e.ended_at IS NULL OR c.at <= e.ended_at)
      UNION ALL
      SELECT 'message', o.done_at, o.state, o.seq, o.channel, o.error, o.made_at
      FROM alert_outbox o WHERE o.episode_id = $1) all_of_it
ORDER BY found_at, what DESC, seq
