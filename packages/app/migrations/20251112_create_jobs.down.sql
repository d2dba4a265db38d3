LOCK TABLE jobs, job_results IN ACCESS EXCLUSIVE MODE;
DO $$ BEGIN
  IF EXISTS (SELECT FROM jobs) THEN
    RAISE EXCEPTION 'jobs are stored: dropping the tables would lose them'
      USING HINT = 'Delete or export the jobs first.', ERRCODE = 'restrict_violation';
  END IF;
END $$;
DROP TABLE job_results, jobs;
