-- What became of the alerts of an application ($1; NULL: of all) that began from $2 on, without those that never were or are a
-- part of another: by severity, how many, how many of them are open, and after how many somebody looked; the mean seconds until
-- somebody did, since the alert was found; and those for which an alert lasted that is over.
SELECT e.severity, count(*), count(*) FILTER (WHERE e.ended_at IS NULL), count(looked.at),
       avg(extract(epoch FROM looked.at - found.at))::double precision,
       avg(extract(epoch FROM e.ended_at - e.began_at))::double precision
FROM alert_episodes e
CROSS JOIN LATERAL (SELECT t.made_at AS at FROM alert_transitions t WHERE t.episode_id = e.id AND t.seq = 1) found
CROSS JOIN LATERAL (SELECT min(a.done_at) AS at FROM alert_acts a
                    WHERE a.key_id = e.key_id AND a.kind = 'acknowledge' AND a.at >= e.began_at
                      AND (e.ended_at IS NULL OR a.at <= e.ended_at)) looked
WHERE ($1::integer IS NULL OR e.app_id = $1) AND e.began_at >= $2
  AND e.corrected_at IS NULL AND e.superseded_by IS NULL
GROUP BY e.severity
