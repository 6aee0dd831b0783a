-- What an attempt did, told by the worker while it was at it: the stages with their beginnings in seconds since the
-- attempt began, what it was made with (engine, versions, parameters), and the lines it logged.
ALTER TABLE job_attempts
    ADD COLUMN stages jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN about jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN log text[] NOT NULL DEFAULT '{}';
