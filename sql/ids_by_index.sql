-- For the transaction that runs ids_there.sql: by the index on (app_id, occurred_at), whatever the planner believes.
-- Left to itself it reads whole partitions, or looks in the BRIN index for every instant, which takes ten times as long.
-- The first line is for Citus, which sets on its workers then what follows; elsewhere it means nothing.
SET LOCAL citus.propagate_set_commands = 'local';
SET LOCAL enable_seqscan = off;
SET LOCAL enable_bitmapscan = off;
SET LOCAL max_parallel_workers_per_gather = 0;
SET LOCAL jit = off
