-- What was played along with a track, on its own frames: the file begins with the track, what was played at `starting`
-- (seconds) and lasts until `ending`. `rate` is the speed at which it was played, `keylock` whether pitch was kept.
CREATE TABLE track_takes (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    track_id    uuid NOT NULL REFERENCES tracks ON DELETE CASCADE,
    user_id     bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    name        text NOT NULL DEFAULT '' CHECK (length(name) <= 200),
    chosen      boolean NOT NULL DEFAULT false,
    starting    double precision NOT NULL CHECK (starting >= 0),
    ending      double precision NOT NULL,
    rate        double precision NOT NULL CHECK (rate > 0),
    keylock     boolean NOT NULL DEFAULT false,
    file_path   text NOT NULL,
    file_size   bigint NOT NULL CHECK (file_size > 0),
    gain        double precision NOT NULL CHECK (gain > 0),
    inserted_at timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CHECK (ending > starting)
);
CREATE INDEX track_takes_track_id_idx ON track_takes (track_id, user_id, inserted_at DESC);
CREATE UNIQUE INDEX track_takes_chosen_key ON track_takes (track_id, user_id) WHERE chosen;
CREATE TRIGGER track_takes_files AFTER INSERT OR UPDATE OR DELETE ON track_takes
    FOR EACH ROW EXECUTE FUNCTION own_files('file_path');
CREATE TRIGGER track_takes_touch BEFORE UPDATE ON track_takes
    FOR EACH ROW EXECUTE FUNCTION touch_updated_at();
