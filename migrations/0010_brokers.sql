-- Other message brokers (RabbitMQ, Redis). The queue's table stays what is written with a job: it is the outbox of what is
-- handed to them, and the book of who is at what, which the server keeps for workers that have no connection to it. Such
-- workers have the number 0: their deaths are seen by their broker, not by a lock.
ALTER TABLE queue.messages ADD COLUMN handed integer NOT NULL DEFAULT 0;
ALTER TABLE queue.messages ADD COLUMN handed_at timestamptz;

CREATE OR REPLACE FUNCTION queue.reap(limit_deaths integer DEFAULT 3) RETURNS integer LANGUAGE sql AS $$
    WITH moved AS (
        UPDATE queue.messages m
        SET worker = NULL, deaths = m.deaths + 1,
            state = CASE WHEN m.deaths + 1 >= limit_deaths THEN 'dead' ELSE 'queued' END,
            reason = CASE WHEN m.deaths + 1 >= limit_deaths
                          THEN format('has killed its worker %s times',
                                      CASE limit_deaths WHEN 3 THEN 'three' ELSE limit_deaths::text END) END
        WHERE m.message_id IN (
            SELECT n.message_id FROM queue.messages n
            WHERE n.state = 'running' AND n.worker <> 0 AND NOT queue.alive(n.worker)
              AND pg_postmaster_start_time() < now() - interval '3 seconds'
            FOR UPDATE SKIP LOCKED)
        RETURNING 1)
    SELECT count(*)::integer FROM moved
$$;

-- Take away what waits or has died about a subject, and what workers of another broker have; what else runs is left to
-- its worker. Returns how many went.
CREATE OR REPLACE FUNCTION queue.drop(about text) RETURNS integer LANGUAGE sql AS $$
    WITH gone AS (
        DELETE FROM queue.messages WHERE subject = about AND (state <> 'running' OR worker = 0) RETURNING 1)
    SELECT count(*)::integer FROM gone
$$;

-- Workers on other machines see the queue and nothing else: this role is what they come as (`server/jobs/queue_door.py`).
-- Where the database's account may make no roles there is none; its administrator makes one with the same rights.
DO $$
BEGIN
    BEGIN
        CREATE ROLE alchemy_queue LOGIN;
    EXCEPTION WHEN duplicate_object OR unique_violation OR insufficient_privilege THEN NULL;
    END;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'alchemy_queue') THEN
        GRANT USAGE ON SCHEMA queue TO alchemy_queue;
        GRANT SELECT, INSERT, UPDATE, DELETE ON queue.messages TO alchemy_queue;
    END IF;
END $$;
