-- Ends sessions of our own predecessor ($1 its name) that died or was cut off inside a transaction, and still holds its
-- locks. Our own live transactions are never idle for so long. Their COPY never waits so long for more data, because
-- its data is at hand. (No timeout of PostgreSQL covers a COPY that waits.)
SELECT count(pg_terminate_backend(pid))
FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND application_name = left($1, 63)
  AND pid <> pg_backend_pid()
  AND (state IN ('idle in transaction', 'idle in transaction (aborted)')
          AND state_change < now() - interval '15 seconds'
       OR state = 'active' AND wait_event = 'ClientRead' AND query_start < now() - interval '20 seconds')
