-- ------------------------------------------------------------------------------------------------------------ marks

-- What a performer marks in a track. Places in seconds of the track.
CREATE TABLE cue_points (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    track_id    uuid NOT NULL REFERENCES tracks ON DELETE CASCADE,
    kind        text NOT NULL CHECK (kind IN ('main', 'hot', 'memory')),
    slot        smallint CHECK (slot BETWEEN 1 AND 8),
    position    double precision NOT NULL CHECK (position >= 0),
    ending      double precision CHECK (ending > position),
    name        text NOT NULL DEFAULT '' CHECK (length(name) <= 120),
    color       text NOT NULL DEFAULT '' CHECK (color ~ '^(#[0-9A-Fa-f]{6})?$'),
    inserted_at timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CHECK ((kind = 'hot') = (slot IS NOT NULL)),
    CHECK (kind = 'hot' OR ending IS NULL)
);
CREATE INDEX cue_points_track_id_idx ON cue_points (track_id);
CREATE UNIQUE INDEX cue_points_one_a_slot ON cue_points (track_id, slot) WHERE kind = 'hot';
CREATE UNIQUE INDEX cue_points_one_main ON cue_points (track_id) WHERE kind = 'main';
CREATE TRIGGER cue_points_touch BEFORE UPDATE ON cue_points FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

-- The performer's own beat grid, in place of the analysis'. `origin` is the number, from 0, of the first downbeat.
CREATE TABLE beat_grids (
    track_id    uuid PRIMARY KEY REFERENCES tracks ON DELETE CASCADE,
    beats       double precision[] NOT NULL CHECK (cardinality(beats) >= 2),
    origin      integer NOT NULL DEFAULT 0,
    inserted_at timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);
CREATE TRIGGER beat_grids_touch BEFORE UPDATE ON beat_grids FOR EACH ROW EXECUTE FUNCTION touch_updated_at();
