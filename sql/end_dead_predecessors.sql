-- Ends sessions of a predecessor of ours ($1 its name) that died or was cut off inside a transaction, and still
-- holds its locks: a transaction of ours never rests for so long, nor does its COPY, whose data is at hand, wait
-- for more of it. (No timeout of PostgreSQL's covers a COPY that waits.)
SELECT count(pg_terminate_backend(pid))
FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND application_name = left($1, 63)
  AND pid <> pg_backend_pid()
  AND (state IN ('idle in transaction', 'idle in transaction (aborted)')
          AND state_change < now() - interval '15 seconds'
       OR state = 'active' AND wait_event = 'ClientRead' AND query_start < now() - interval '20 seconds')
