-- Events of these applications at exactly these instants: $1 applications and $2 instants, one element each an event;
-- $3 and $4 the first and the last of the instants, which name the partitions.
--
-- No statistics turn this join around. On counts from before a load the planner takes the table for a few rows, and goes
-- through all events for each row of it, wherever it can scan the index for all of them at once: between two instants, or
-- sorted by applications for a merge. So the bounds are told by an OR, which chooses partitions but is no condition of an
-- index, and the application is a member of an array, which is no order. A lateral subquery with OFFSET 0 would do, too, but
-- Citus does not send it to workers.
SELECT u.app_id, u.occurred_at, l.event_id
FROM unnest($1::integer[], $2::timestamptz[]) AS u (app_id, occurred_at)
JOIN access_logs l ON l.app_id = ANY (ARRAY[u.app_id]) AND l.occurred_at = u.occurred_at
WHERE l.occurred_at = $3 OR l.occurred_at >= $3 AND l.occurred_at <= $4
