-- Events of these applications at exactly these instants: $1 applications and $2 instants, one element each an event;
-- $3 and $4 the first and the last of the instants, which name the partitions.
--
-- OFFSET 0 keeps the planner from turning the join around: on counts from before a load it took the table for a few
-- rows, and looked through all events for each row of it.
SELECT u.app_id, u.occurred_at, l.event_id
FROM unnest($1::integer[], $2::timestamptz[]) AS u (app_id, occurred_at)
CROSS JOIN LATERAL (
    SELECT event_id
    FROM access_logs
    WHERE app_id = u.app_id AND occurred_at = u.occurred_at AND occurred_at >= $3 AND occurred_at <= $4
    OFFSET 0
) l
