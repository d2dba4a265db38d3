-- reversible: yes
-- phase: expand
-- compatible-from: 20251028
-- What was asked for. A caller that asks again with the same key gets the job that it has.
CREATE TABLE jobs (
  id uuid PRIMARY KEY,
  idempotency_key text NOT NULL UNIQUE,
  text text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
-- What was done: for each key at most once, whatever the workers do.
CREATE TABLE job_results (
  idempotency_key text PRIMARY KEY REFERENCES jobs (idempotency_key) ON DELETE CASCADE,
  words integer NOT NULL,
  bytes integer NOT NULL,
  done_by text NOT NULL,
  done_at timestamptz NOT NULL DEFAULT now()
);
