-- The message queue: what Dramatiq workers take their work from.
--
-- A schema of its own, so that a worker's role can be given this and nothing else. Messages are put in the same
-- transaction as the row they are about; nobody but these functions writes the table.
--
-- A worker process is known by a random number that it holds as a session advisory lock: the lock goes the moment its
-- connection does, so a death is seen without heartbeats and never suspected of a busy process. `claim` grows with every
-- delivery and is the receipt for it: whoever comes with an older receipt (a message that was given to somebody else
-- meanwhile) changes nothing.

CREATE SCHEMA queue;

CREATE TABLE queue.messages (
    message_id  text PRIMARY KEY,
    seq         bigint GENERATED ALWAYS AS IDENTITY,
    queue       text NOT NULL,
    actor       text NOT NULL,
    -- what the message is about (a job's id), to find it again
    subject     text,
    -- higher is sooner
    priority    integer NOT NULL DEFAULT 0,
    eta         timestamptz NOT NULL DEFAULT now(),
    state       text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'dead')),
    worker      integer,
    claim       integer NOT NULL DEFAULT 0,
    -- workers that died while they had it
    deaths      integer NOT NULL DEFAULT 0,
    reason      text,
    payload     bytea NOT NULL,
    inserted_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((state = 'running') = (worker IS NOT NULL)),
    CHECK ((state = 'dead') = (reason IS NOT NULL))
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 200);
CREATE INDEX messages_ready_idx ON queue.messages (queue, priority DESC, seq) WHERE state = 'queued';
CREATE INDEX messages_running_idx ON queue.messages (worker) WHERE state = 'running';
CREATE INDEX messages_dead_idx ON queue.messages (seq) WHERE state = 'dead';
CREATE INDEX messages_subject_idx ON queue.messages (subject) WHERE subject IS NOT NULL;

-- Wakes workers when there is something to take and the server when a message has died; heard only after the commit.
CREATE FUNCTION queue.tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('queue_ready', queue) FROM changed WHERE state = 'queued' GROUP BY queue;
    PERFORM pg_notify('queue_dead', message_id) FROM changed WHERE state = 'dead';
    RETURN NULL;
END $$;
CREATE TRIGGER messages_put AFTER INSERT ON queue.messages
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION queue.tell();
CREATE TRIGGER messages_moved AFTER UPDATE ON queue.messages
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION queue.tell();

-- Put a message; one that is there already is left alone.
CREATE FUNCTION queue.put(
    new_id text, to_queue text, to_actor text, content bytea,
    urgency integer DEFAULT 0, delay_s double precision DEFAULT 0, about text DEFAULT NULL
) RETURNS void LANGUAGE sql AS $$
    INSERT INTO queue.messages (message_id, queue, actor, subject, priority, eta, payload)
    VALUES (new_id, to_queue, to_actor, about, urgency, now() + delay_s * interval '1 second', content)
    ON CONFLICT (message_id) DO NOTHING
$$;

-- Whether the process that holds this number is there.
CREATE FUNCTION queue.alive(who integer) RETURNS boolean LANGUAGE sql AS $$
    SELECT EXISTS (
        SELECT FROM pg_locks
        WHERE locktype = 'advisory' AND classid = 21265 AND objid = who::bigint::oid AND objsubid = 2 AND granted
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
$$;

-- Take the next message of a queue. One that has seen a worker die is only given to a worker that does nothing else, so
-- that no innocent message dies with it. The worker's number is in the session's setting `queue.worker`.
CREATE FUNCTION queue.claim(from_queue text, idle boolean)
RETURNS TABLE (message_id text, claim integer, deaths integer, payload bytea) LANGUAGE sql AS $$
    UPDATE queue.messages m SET state = 'running', worker = current_setting('queue.worker')::integer, claim = m.claim + 1
    WHERE m.message_id = (
        SELECT n.message_id FROM queue.messages n
        WHERE n.queue = from_queue AND n.state = 'queued' AND n.eta <= now() AND (n.deaths = 0 OR idle)
        ORDER BY n.priority DESC, n.seq LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING m.message_id, m.claim, m.deaths, m.payload
$$;

-- Seconds until the next delayed message of a queue is due; NULL when none waits.
CREATE FUNCTION queue.due_s(from_queue text) RETURNS double precision LANGUAGE sql AS $$
    SELECT greatest(0, extract(epoch FROM min(eta) - now()))::double precision FROM queue.messages
    WHERE queue = from_queue AND state = 'queued' AND eta > now()
$$;

-- Done: take the message away.
CREATE FUNCTION queue.ack(id text, receipt integer) RETURNS boolean LANGUAGE sql AS $$
    WITH gone AS (
        DELETE FROM queue.messages WHERE message_id = id AND claim = receipt AND state = 'running' RETURNING 1)
    SELECT EXISTS (SELECT FROM gone)
$$;

-- Give up on a message for good.
CREATE FUNCTION queue.bury(id text, receipt integer, why text) RETURNS boolean LANGUAGE sql AS $$
    WITH moved AS (
        UPDATE queue.messages SET state = 'dead', worker = NULL, reason = why
        WHERE message_id = id AND claim = receipt AND state = 'running' RETURNING 1)
    SELECT EXISTS (SELECT FROM moved)
$$;

-- Give a message back, to be delivered after a while, with another payload if one is given.
CREATE FUNCTION queue.release(
    id text, receipt integer, delay_s double precision DEFAULT 0, content bytea DEFAULT NULL
) RETURNS boolean LANGUAGE sql AS $$
    WITH moved AS (
        UPDATE queue.messages
        SET state = 'queued', worker = NULL, eta = now() + delay_s * interval '1 second',
            payload = coalesce(content, payload)
        WHERE message_id = id AND claim = receipt AND state = 'running' RETURNING 1)
    SELECT EXISTS (SELECT FROM moved)
$$;

-- A worker lost its connection and has a new number: it keeps what it knows to hold and nobody took, and the rest that
-- was claimed under the old number (the answer to a claim may have been lost) goes back. Returns what it still holds.
CREATE FUNCTION queue.adopt(before integer, ids text[], receipts integer[])
RETURNS TABLE (message_id text, claim integer) LANGUAGE sql AS $$
    UPDATE queue.messages m SET state = 'queued', worker = NULL
    WHERE m.worker = before AND m.state = 'running'
      AND NOT EXISTS (SELECT FROM unnest(ids, receipts) AS held (id, receipt)
                      WHERE held.id = m.message_id AND held.receipt = m.claim);
    UPDATE queue.messages m SET worker = current_setting('queue.worker')::integer
    WHERE m.worker = before AND m.state = 'running'
    RETURNING m.message_id, m.claim
$$;

-- Give back what dead workers had. A message that has killed its worker `limit_deaths` times is dead itself. For the
-- first seconds of a database's life nobody is taken for dead: workers are still coming back.
CREATE FUNCTION queue.reap(limit_deaths integer DEFAULT 3) RETURNS integer LANGUAGE sql AS $$
    WITH moved AS (
        UPDATE queue.messages m
        SET worker = NULL, deaths = m.deaths + 1,
            state = CASE WHEN m.deaths + 1 >= limit_deaths THEN 'dead' ELSE 'queued' END,
            reason = CASE WHEN m.deaths + 1 >= limit_deaths
                          THEN format('has killed its worker %s times',
                                      CASE limit_deaths WHEN 3 THEN 'three' ELSE limit_deaths::text END) END
        WHERE m.message_id IN (
            SELECT n.message_id FROM queue.messages n
            WHERE n.state = 'running' AND NOT queue.alive(n.worker)
              AND pg_postmaster_start_time() < now() - interval '3 seconds'
            FOR UPDATE SKIP LOCKED)
        RETURNING 1)
    SELECT count(*)::integer FROM moved
$$;

-- Whether this receipt is still good.
CREATE FUNCTION queue.holds(id text, receipt integer) RETURNS boolean LANGUAGE sql AS $$
    SELECT EXISTS (SELECT FROM queue.messages WHERE message_id = id AND claim = receipt AND state = 'running')
$$;

-- Take away what waits or has died about a subject; what runs is left to its worker. Returns how many went.
CREATE FUNCTION queue.drop(about text) RETURNS integer LANGUAGE sql AS $$
    WITH gone AS (DELETE FROM queue.messages WHERE subject = about AND state <> 'running' RETURNING 1)
    SELECT count(*)::integer FROM gone
$$;

-- Which delivery an attempt was: `message id#claim`. A worker that reconnects comes with the same one.
ALTER TABLE job_attempts ADD COLUMN receipt text;
CREATE UNIQUE INDEX job_attempts_receipt_key ON job_attempts (job_id, receipt);
