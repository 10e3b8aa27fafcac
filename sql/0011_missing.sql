-- Logs that were not loaded to their ends, and are not found any more.

ALTER TABLE log_files
    ADD COLUMN real_path    text,                       -- path without symbolic links, where it is another one
    ADD COLUMN missing_at   timestamptz,                -- since when a running daemon does not find the file
    ADD COLUMN forgotten_at timestamptz;                -- when somebody said that its rest need not be looked for
CREATE INDEX checkpoints_unsealed ON checkpoints (file_id) WHERE NOT sealed;
