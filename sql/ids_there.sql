-- Events of these applications at exactly these instants: $1 applications and $2 instants, one element each per event,
-- $3 and $4 the first and the last of the instants, which select the partitions.
--
-- No statistics can reverse this join. With statistics from before a load, the planner believes that the table has few
-- rows. It would then go through all events for each row of the table, if it could scan the index for all of them at
-- once: between two instants, or sorted by application for a merge. Therefore the bounds are written as an OR, which
-- selects partitions but is no index condition, and the application is a member of an array, which has no order. A
-- lateral subquery with OFFSET 0 would also work, but Citus does not send it to workers.
SELECT u.app_id, u.occurred_at, l.event_id, l.file_id, l.file_offset
FROM unnest($1::integer[], $2::timestamptz[]) AS u (app_id, occurred_at)
JOIN access_logs l ON l.app_id = ANY (ARRAY[u.app_id]) AND l.occurred_at = u.occurred_at
WHERE l.occurred_at = $3 OR l.occurred_at >= $3 AND l.occurred_at <= $4
