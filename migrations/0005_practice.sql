-- --------------------------------------------------------------------------------------------------------- practice

-- How a user has left a song: controls of its deck by their path below the deck, and the place in seconds.
CREATE TABLE practice_states (
    user_id     bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    track_id    uuid NOT NULL REFERENCES tracks ON DELETE CASCADE,
    controls    jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(controls) = 'object'),
    position    double precision NOT NULL DEFAULT 0 CHECK (position >= 0),
    inserted_at timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, track_id)
);
CREATE INDEX practice_states_track_id_idx ON practice_states (track_id);
CREATE TRIGGER practice_states_touch BEFORE UPDATE ON practice_states
    FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

-- Passes of a loop, one after the other at one speed, as one row. `section` is what the loop is called, '' for nothing.
CREATE TABLE practice_log (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id    bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    track_id   uuid NOT NULL REFERENCES tracks ON DELETE CASCADE,
    section    text NOT NULL DEFAULT '' CHECK (length(section) <= 200),
    starting   double precision NOT NULL CHECK (starting >= 0),
    ending     double precision NOT NULL,
    rate       double precision NOT NULL CHECK (rate > 0),
    passes     integer NOT NULL CHECK (passes >= 0),
    clean      integer NOT NULL DEFAULT 0 CHECK (clean >= 0),
    began_at   timestamptz NOT NULL DEFAULT now(),
    ended_at   timestamptz NOT NULL DEFAULT now(),
    CHECK (ending > starting)
);
CREATE INDEX practice_log_track_id_idx ON practice_log (track_id, user_id, id DESC);
