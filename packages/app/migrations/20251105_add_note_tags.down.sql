LOCK TABLE notes IN ACCESS EXCLUSIVE MODE;
DO $$ BEGIN
  IF EXISTS (SELECT FROM notes WHERE tags <> '{}') THEN
    RAISE EXCEPTION 'notes have tags: dropping the column would lose them'
      USING HINT = 'Remove the tags from all notes first.', ERRCODE = 'restrict_violation';
  END IF;
END $$;
ALTER TABLE notes DROP COLUMN tags;
