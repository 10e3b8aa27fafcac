-- A path, and the name of a log in an archive, may be longer than an entry of a btree (2704 bytes): one such name would
-- stop the loading of all. A hash is never too long, and the first 200 characters are not either.

DROP INDEX log_files_path;
CREATE INDEX log_files_path ON log_files USING hash (path);

DROP INDEX log_files_source;
CREATE INDEX log_files_source ON log_files (host, left(source, 200));
