-- What replaying needs beyond following.

-- How the lines of a file are read: format, application, label (JSON). NULL: not known.
ALTER TABLE log_files ADD COLUMN spec jsonb;

-- Rows that were taken out again by `alt unload`: lines = rows + non_hits + rejects + already_loaded + unloaded.
-- A file that was taken out as a whole is not loaded again by itself.
ALTER TABLE checkpoints
    ADD COLUMN unloaded    bigint NOT NULL DEFAULT 0,
    ADD COLUMN unloaded_at timestamptz;

-- When the rows happened that were loaded by ids, because no checkpoint proved that their lines were new: those lines
-- may stand in other files, too. Where these lie, checkpoints prove too little, and ids are read.
CREATE TABLE loaded_by_ids (
    file_id   integer PRIMARY KEY REFERENCES log_files (id),
    first_at  timestamptz NOT NULL,
    last_at   timestamptz NOT NULL,
    rows      bigint NOT NULL,
    loaded_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX loaded_by_ids_last ON loaded_by_ids (last_at);

-- Takes the place of checkpoints.by_ids, which is not written any more.
INSERT INTO loaded_by_ids (file_id, first_at, last_at, rows, loaded_at)
SELECT file_id, first_at, last_at, rows, committed_at FROM checkpoints WHERE by_ids AND first_at IS NOT NULL;
