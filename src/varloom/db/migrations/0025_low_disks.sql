-- compatible from: 0004
-- Why a worker begins nothing: which of its disks has too little space. Null: none has.
ALTER TABLE workers ADD COLUMN low_disk text;
