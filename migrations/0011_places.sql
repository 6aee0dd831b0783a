-- Where analysed tracks lie beside each other, for "what goes with this" in large libraries: near in tempo (as an angle, an
-- octave being once around), in key (as an angle of the Camelot wheel, and its side), in energy and in timbre. Only where the
-- database has the extension `vector` (the embedded one has); without it every track is looked at.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector') THEN
        RETURN;
    END IF;
    BEGIN
        CREATE SCHEMA vectors;
        CREATE EXTENSION vector SCHEMA vectors;
    EXCEPTION WHEN insufficient_privilege OR duplicate_object THEN
        RETURN;
    END;

    CREATE TABLE track_places (
        track_id    uuid PRIMARY KEY REFERENCES tracks ON DELETE CASCADE,
        user_id     bigint NOT NULL REFERENCES users ON DELETE CASCADE,
        -- what it is scored by, beside its place, so that one look brings both
        tempo       double precision,
        key         text,
        energy      double precision,
        timbre      jsonb,
        place       vectors.vector(18) NOT NULL
    );
    CREATE INDEX track_places_user_id_idx ON track_places (user_id);
    CREATE INDEX track_places_place_idx ON track_places USING hnsw (place vectors.vector_l2_ops);

    -- The factors make squared distances of near tracks what their scores (`server/library/similar.py`) lose by it.
    CREATE FUNCTION track_place(tempo double precision, key text, energy double precision, timbre jsonb)
    RETURNS vectors.vector LANGUAGE plpgsql IMMUTABLE AS $place$
    DECLARE
        octave double precision := CASE WHEN tempo > 0 THEN 2 * pi() * log(2, tempo::numeric)::double precision END;
        wheel integer := array_position(ARRAY[
            'B major', 'F# major', 'C# major', 'Ab major', 'Eb major', 'Bb major', 'F major', 'C major', 'G major',
            'D major', 'A major', 'E major', 'G# minor', 'Eb minor', 'Bb minor', 'F minor', 'C minor', 'G minor',
            'D minor', 'A minor', 'E minor', 'B minor', 'F# minor', 'C# minor'], key) - 1;
        found double precision[] := ARRAY[
            coalesce(1.33 * cos(octave), 0), coalesce(1.33 * sin(octave), 0),
            coalesce(0.335 * cos(wheel % 12 * pi() / 6), 0), coalesce(0.335 * sin(wheel % 12 * pi() / 6), 0),
            CASE WHEN wheel < 12 THEN 0.173 WHEN wheel >= 12 THEN 0 ELSE 0.0865 END, 1.2 * coalesce(energy, 0.5)];
    BEGIN
        IF jsonb_typeof(timbre) = 'array' AND jsonb_array_length(timbre) = 12 THEN
            found := found || (SELECT array_agg(0.004 * value::double precision ORDER BY n)
                               FROM jsonb_array_elements_text(timbre) WITH ORDINALITY AS each (value, n));
        ELSE
            found := found || array_fill(0::double precision, ARRAY[12]);
        END IF;
        RETURN found::vectors.vector;
    END $place$;

    CREATE FUNCTION place_track() RETURNS trigger LANGUAGE plpgsql AS $place$
    BEGIN
        IF NEW.chosen THEN
            INSERT INTO track_places (track_id, user_id, tempo, key, energy, timbre, place)
            SELECT t.id, t.user_id, NEW.tempo, NEW.key, NEW.energy, j.results->'timbre',
                   track_place(NEW.tempo, NEW.key, NEW.energy, j.results->'timbre')
            FROM tracks t JOIN analysis_jobs j ON j.id = NEW.analysis_job_id WHERE t.id = NEW.track_id
            ON CONFLICT (track_id) DO UPDATE SET user_id = excluded.user_id, tempo = excluded.tempo,
                key = excluded.key, energy = excluded.energy, timbre = excluded.timbre, place = excluded.place;
        END IF;
        RETURN NULL;
    END $place$;
    CREATE TRIGGER analysis_results_place AFTER INSERT OR UPDATE OF chosen, tempo, key, energy ON analysis_results
        FOR EACH ROW EXECUTE FUNCTION place_track();

    INSERT INTO track_places (track_id, user_id, tempo, key, energy, timbre, place)
    SELECT t.id, t.user_id, r.tempo, r.key, r.energy, j.results->'timbre', track_place(r.tempo, r.key, r.energy, j.results->'timbre')
    FROM tracks t JOIN analysis_results r ON r.track_id = t.id AND r.chosen JOIN analysis_jobs j ON j.id = r.analysis_job_id;
END $$;
