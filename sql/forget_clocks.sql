-- Deletes hosts whose clock was last found right more than 400 days before $1: machines that no longer exist.
DELETE FROM retention_clock WHERE last_at < $1 - interval '400 days'
