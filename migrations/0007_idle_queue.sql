-- A queue in which no message is delayed has nothing due. GREATEST passes over NULL, so it said 0 seconds, and idle workers asked
-- again and again.
CREATE OR REPLACE FUNCTION queue.due_s(from_queue text) RETURNS double precision LANGUAGE sql AS $$
    SELECT extract(epoch FROM min(eta) - now())::double precision FROM queue.messages
    WHERE queue = from_queue AND state = 'queued' AND eta > now()
$$;
