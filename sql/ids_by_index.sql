-- For the transaction that runs ids_there.sql: use the index on (app_id, occurred_at), whatever the planner estimates.
-- Otherwise the planner reads whole partitions, or searches the BRIN index for every instant, which takes ten times as
-- long. The first statement is for Citus, which then also applies the following settings on its workers. Elsewhere it
-- has no effect.
SET LOCAL citus.propagate_set_commands = 'local';
SET LOCAL enable_seqscan = off;
SET LOCAL enable_bitmapscan = off;
SET LOCAL max_parallel_workers_per_gather = 0;
SET LOCAL jit = off
