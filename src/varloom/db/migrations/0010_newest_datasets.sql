-- compatible from: 0004
-- The server looks for the datasets that were published last, whosever they are, however many there are.
CREATE INDEX datasets_created_idx ON datasets (created_at DESC, id);
