-- reversible: yes
-- phase: expand
-- compatible-from: 20251028
ALTER TABLE notes ADD COLUMN tags text[] NOT NULL DEFAULT '{}';
