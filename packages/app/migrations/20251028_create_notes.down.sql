LOCK TABLE notes IN ACCESS EXCLUSIVE MODE;
DO $$ BEGIN
  IF EXISTS (SELECT FROM notes) THEN
    RAISE EXCEPTION 'notes are stored: dropping the table would lose them'
      USING HINT = 'Delete or export the notes first.', ERRCODE = 'restrict_violation';
  END IF;
END $$;
DROP TABLE notes;
