-- Locks the follower $1, and returns whether the ledger has not kept what it needs: $2 is the system identifier. Numbers
-- of transactions beyond the server's next one are of another server, whatever its identifier.
SELECT missed OR cluster IS DISTINCT FROM $2
       OR coalesce(pg_snapshot_xmax(seen), position_xid) > pg_snapshot_xmax(pg_current_snapshot())
FROM followers
WHERE name = $1
FOR UPDATE
