-- Archive: which object holds a file, and what proves it. Written once the copy is proven.

ALTER TABLE log_files
    ADD COLUMN archived_at    timestamptz,
    ADD COLUMN archive_uri    text,
    ADD COLUMN archive_bytes  bigint,                   -- of the object
    ADD COLUMN archive_sha256 bytea,                    -- of the object
    ADD COLUMN raw_bytes      bigint,                   -- of the log in it: checkpoints.loaded_bytes at that time
    ADD COLUMN raw_sha256     bytea,
    ADD COLUMN raw_lines      bigint,
    ADD COLUMN first_at       timestamptz,              -- of the hits in it
    ADD COLUMN last_at        timestamptz,
    ADD COLUMN archive_error  text,                     -- why it could not be archived when that was tried last
    ADD COLUMN deleted_at     timestamptz;              -- when the local file was deleted
CREATE INDEX log_files_archive ON log_files (archive_uri) WHERE archive_uri IS NOT NULL;
CREATE INDEX log_files_path ON log_files (path);
CREATE INDEX checkpoints_head ON checkpoints (substr(head, 1, 8));
