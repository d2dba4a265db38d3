-- reversible: yes
-- phase: expand
-- compatible-from: 0
CREATE TABLE notes (
  id uuid PRIMARY KEY,
  title text NOT NULL,
  body text NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL DEFAULT now()
);
-- The order of the pages.
CREATE INDEX notes_newest_first ON notes (created_at DESC, id DESC);
