-- What replaying needs beyond following.

-- How the lines of a file are read: format, application, label (JSON). NULL: not known.
ALTER TABLE log_files ADD COLUMN spec jsonb;

-- Rows that were taken out again by `alt unload`: lines = rows + non_hits + rejects + already_loaded + unloaded.
-- A file that was taken out as a whole is not loaded again by itself.
ALTER TABLE checkpoints
    ADD COLUMN unloaded    bigint NOT NULL DEFAULT 0,
    ADD COLUMN unloaded_at timestamptz;

-- Times of rows that no checkpoint speaks of, because their files were read beside it: by a filtered replay, by
-- `--again`, or because rejects were looked at again. Where these lie, checkpoints prove nothing and ids are read.
CREATE TABLE loaded_aside (
    file_id   integer PRIMARY KEY REFERENCES log_files (id),
    first_at  timestamptz NOT NULL,
    last_at   timestamptz NOT NULL,
    rows      bigint NOT NULL,
    loaded_at timestamptz NOT NULL DEFAULT now()
);
