-- Lines that may have ended the daemon. A line that is looked at by itself is entered before it is touched; how often the
-- daemon ended in it is counted at the next start. One with two deaths or more is set aside: it is not touched, and stands
-- in rejected_lines, with the reason `poison`, once its file's checkpoint is past it.
CREATE TABLE suspects (
    file_id     integer NOT NULL,
    file_offset bigint NOT NULL,
    deaths      integer NOT NULL,
    noted_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (file_id, file_offset)
);
