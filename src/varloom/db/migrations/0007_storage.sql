-- compatible from: 0004
-- The one storage of this database, known by the id in its object varloom-storage.json. It counts as marked only after
-- that object was written: a storage without it is then another one.
CREATE TABLE storage (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),  -- one row
    id uuid NOT NULL,
    marked_at timestamptz
);
