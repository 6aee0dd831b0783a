-- Batches: many jobs with one progress, that can wait; and a queue that serves users in turns.

ALTER TABLE batch_jobs DROP CONSTRAINT batch_jobs_status_check;
ALTER TABLE batch_jobs ADD CONSTRAINT batch_jobs_status_check
    CHECK (status IN ('pending', 'processing', 'paused', 'completed', 'failed', 'cancelled'));
ALTER TABLE batch_jobs ADD COLUMN title text NOT NULL DEFAULT '';

ALTER TABLE analysis_jobs ADD COLUMN batch_job_id uuid REFERENCES batch_jobs ON DELETE SET NULL;
CREATE INDEX analysis_jobs_batch_job_id_idx ON analysis_jobs (batch_job_id);

-- The jobs of all batches.
CREATE VIEW batch_members AS
    SELECT batch_job_id, id AS job_id, 'processing' AS kind, status, progress, priority FROM processing_jobs
    WHERE batch_job_id IS NOT NULL
    UNION ALL
    SELECT batch_job_id, id, 'analysis', status, progress, priority FROM analysis_jobs WHERE batch_job_id IS NOT NULL;

-- Count a batch's jobs anew. The row is locked first, so that two jobs that end at once are both seen.
CREATE FUNCTION refresh_batch(which uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE counts record;
BEGIN
    PERFORM FROM batch_jobs WHERE id = which FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT count(*) AS total, count(*) FILTER (WHERE status = 'completed') AS completed,
           count(*) FILTER (WHERE status = 'failed') AS failed, count(*) FILTER (WHERE status = 'cancelled') AS cancelled,
           count(*) FILTER (WHERE status <> 'queued') AS begun
    INTO counts FROM batch_members WHERE batch_job_id = which;
    UPDATE batch_jobs
    SET total_count = greatest(1, counts.total), completed_count = counts.completed, failed_count = counts.failed,
        lock_version = lock_version + 1, updated_at = now(),
        status = CASE
            WHEN counts.completed + counts.failed + counts.cancelled < counts.total THEN
                CASE WHEN status = 'paused' THEN 'paused' WHEN counts.begun = 0 THEN 'pending' ELSE 'processing' END
            WHEN counts.failed > 0 THEN 'failed'
            WHEN counts.cancelled > 0 OR counts.total = 0 THEN 'cancelled'
            ELSE 'completed' END
    WHERE id = which;
END $$;

CREATE FUNCTION batch_moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.batch_job_id IS NOT NULL THEN
        PERFORM refresh_batch(OLD.batch_job_id);
    END IF;
    IF TG_OP = 'UPDATE' AND NEW.batch_job_id IS DISTINCT FROM OLD.batch_job_id AND NEW.batch_job_id IS NOT NULL THEN
        PERFORM refresh_batch(NEW.batch_job_id);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER processing_jobs_batch_moved AFTER UPDATE ON processing_jobs FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status OR OLD.batch_job_id IS DISTINCT FROM NEW.batch_job_id)
    EXECUTE FUNCTION batch_moved();
CREATE TRIGGER processing_jobs_batch_left AFTER DELETE ON processing_jobs FOR EACH ROW EXECUTE FUNCTION batch_moved();
CREATE TRIGGER analysis_jobs_batch_moved AFTER UPDATE ON analysis_jobs FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status OR OLD.batch_job_id IS DISTINCT FROM NEW.batch_job_id)
    EXECUTE FUNCTION batch_moved();
CREATE TRIGGER analysis_jobs_batch_left AFTER DELETE ON analysis_jobs FOR EACH ROW EXECUTE FUNCTION batch_moved();

-- Whose work a message is, and its turn: start-time fair queueing (Goyal, Vin, Cheng 1996) with every message counting
-- alike. A user who asks for one thing is served next, however many another one has waiting.
ALTER TABLE queue.messages ADD COLUMN owner bigint;
ALTER TABLE queue.messages ADD COLUMN turn bigint NOT NULL DEFAULT 0;
DROP INDEX queue.messages_ready_idx;
CREATE INDEX messages_ready_idx ON queue.messages (queue, priority DESC, turn, seq) WHERE state = 'queued';
CREATE INDEX messages_owner_idx ON queue.messages (queue, owner, priority, turn) WHERE state = 'queued';

DROP FUNCTION queue.put(text, text, text, bytea, integer, double precision, text);
-- Put a message; one that is there already is left alone.
CREATE FUNCTION queue.put(
    new_id text, to_queue text, to_actor text, content bytea,
    urgency integer DEFAULT 0, delay_s double precision DEFAULT 0, about text DEFAULT NULL, whose bigint DEFAULT NULL
) RETURNS void LANGUAGE sql AS $$
    INSERT INTO queue.messages (message_id, queue, actor, subject, priority, eta, payload, owner, turn)
    SELECT new_id, to_queue, to_actor, about, urgency, now() + delay_s * interval '1 second', content, whose,
           greatest(
               (SELECT min(m.turn) FROM queue.messages m
                WHERE m.queue = to_queue AND m.state = 'queued' AND m.priority = urgency),
               (SELECT max(m.turn) + 1 FROM queue.messages m
                WHERE m.queue = to_queue AND m.state = 'queued' AND m.priority = urgency AND m.owner = whose),
               0)
    ON CONFLICT (message_id) DO NOTHING
$$;

-- Take the next message of a queue: the most urgent ones first, users in turns. One that has seen a worker die is only
-- given to a worker that does nothing else, so that no innocent message dies with it. The worker's number is in the
-- session's setting `queue.worker`.
CREATE OR REPLACE FUNCTION queue.claim(from_queue text, idle boolean)
RETURNS TABLE (message_id text, claim integer, deaths integer, payload bytea) LANGUAGE sql AS $$
    UPDATE queue.messages m SET state = 'running', worker = current_setting('queue.worker')::integer, claim = m.claim + 1
    WHERE m.message_id = (
        SELECT n.message_id FROM queue.messages n
        WHERE n.queue = from_queue AND n.state = 'queued' AND n.eta <= now() AND (n.deaths = 0 OR idle)
        ORDER BY n.priority DESC, n.turn, n.seq LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING m.message_id, m.claim, m.deaths, m.payload
$$;
