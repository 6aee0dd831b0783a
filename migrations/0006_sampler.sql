-- The sampler: each performer's banks of pads, and the steps of the sequencer.

-- A pad that was touched. `source` says what it plays: a track's id, then #STEM, then @FROM-TO in seconds.
-- `beginning` and `ending` lie in the sample, in seconds; `steps` has one sign a step: a dot, or 1 to 9 for how hard.
CREATE TABLE sampler_pads (
    user_id     bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    bank        smallint NOT NULL CHECK (bank BETWEEN 1 AND 8),
    pad         smallint NOT NULL CHECK (pad BETWEEN 1 AND 16),
    source      text NOT NULL DEFAULT '' CHECK (length(source) <= 500),
    name        text NOT NULL DEFAULT '',
    mode        text NOT NULL CHECK (mode IN ('one-shot', 'loop', 'gate')),
    choke       smallint NOT NULL CHECK (choke BETWEEN 0 AND 8),
    gain        double precision NOT NULL CHECK (gain BETWEEN 0 AND 1),
    pan         double precision NOT NULL CHECK (pan BETWEEN -1 AND 1),
    pitch       double precision NOT NULL CHECK (pitch BETWEEN -24 AND 24),
    beginning   double precision NOT NULL CHECK (beginning >= 0),
    ending      double precision NOT NULL CHECK (ending >= 0),
    quantize    text NOT NULL,
    steps       text NOT NULL CHECK (steps ~ '^[.1-9]{16}$'),
    PRIMARY KEY (user_id, bank, pad)
);
