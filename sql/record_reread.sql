-- Updates a file's ledger after rejects were retried, and after rows that had been taken out were loaded again: $1
-- file, $2 rejects that are no longer rejects, $3 of these rows, $4 non-hits, $5 rejects, $6 already loaded, $7 rows
-- that were not rejects.
UPDATE checkpoints
SET lines = lines - $2 + $3 + $4 + $5 + $6,
    rows = rows + $3 + least(unloaded, $7), non_hits = non_hits + $4, rejects = rejects - $2 + $5,
    already_loaded = already_loaded + $6, unloaded = unloaded - least(unloaded, $7)
WHERE file_id = $1 AND unloaded_at IS NULL
