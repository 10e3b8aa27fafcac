-- Marks the followers that have not moved for 7 days and have not read everything: the ledger no longer waits for them.
UPDATE followers f SET missed = true
WHERE NOT missed AND moved_at < now() - interval '7 days'
  AND EXISTS (SELECT FROM batches b
              WHERE b.entered_at < now() - interval '7 days'
                AND b.xid >= coalesce(pg_snapshot_xmin(f.seen), f.position_xid, '0'::xid8))
