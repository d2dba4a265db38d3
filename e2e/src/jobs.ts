import { readFileSync } from "node:fs";
import { spawn } from "node:child_process";
import { release } from "./app-release.ts";
import { sql } from "./postgres.ts";
import type { World } from "./world.ts";

export interface Asked {
  /** Keys of the jobs that the API has accepted. */
  accepted: string[];
  /** What was not, and why. */
  refused: string[];
}

/** Asks the app in the namespace for jobs, until `stop` is called. */
export function askForJobs(
  world: World,
  namespace: string,
  o: { prefix: string; rate: number },
): { stop: () => Promise<Asked> } {
  const program = readFileSync(new URL("ask-for-jobs.mjs", import.meta.url), "utf8");
  const child = spawn(
    "kubectl",
    [
      ...["exec", "-i", "-n", namespace, `deploy/${release}`, "--", "node", "--input-type=module", "-e", program],
      ...["http://127.0.0.1:8080", o.prefix, String(o.rate)],
    ],
    { env: world.env, stdio: ["pipe", "pipe", "pipe"] },
  );
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8");
    child[name].on("data", (text: string) => (output[name] += text));
  }
  const closed = new Promise<number | null>((resolve) => child.once("close", resolve));
  return {
    stop: async () => {
      child.stdin.end();
      const code = await closed;
      if (code !== 0) throw new Error(`asking for jobs ended with ${code}\n${output.stdout}\n${output.stderr}`);
      return JSON.parse(output.stdout) as Asked;
    },
  };
}

/** From now on the database notes each change of a result, so that a job done twice shows whatever the table allows. */
export async function noteEffects(world: World, namespace: string): Promise<void> {
  await sql(
    world,
    namespace,
    `CREATE TABLE effects (key text NOT NULL, done_by text);
     CREATE FUNCTION note_effect() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
       INSERT INTO effects VALUES (coalesce(NEW.idempotency_key, OLD.idempotency_key), NEW.done_by);
       RETURN NULL;
     END $$;
     CREATE TRIGGER note_effect AFTER INSERT OR UPDATE OR DELETE ON job_results
       FOR EACH ROW EXECUTE FUNCTION note_effect()`,
  );
}

export interface Effects {
  /** Jobs that are stored. */
  jobs: number;
  /** Jobs that have no result. */
  undone: number;
  /** Effects of jobs, by the version of the worker. */
  byVersion: Record<string, number>;
  /** Keys with more than one effect. */
  twice: string[];
}

/** What the jobs whose keys begin with `prefix` have come to. */
export async function effectsOf(world: World, namespace: string, prefix: string): Promise<Effects> {
  const answer = await sql(
    world,
    namespace,
    `SELECT json_build_object(
       'jobs', (SELECT count(*) FROM jobs WHERE idempotency_key LIKE '${prefix}-%'),
       'undone', (SELECT count(*) FROM jobs LEFT JOIN job_results r USING (idempotency_key)
                  WHERE idempotency_key LIKE '${prefix}-%' AND r.idempotency_key IS NULL),
       'byVersion', (SELECT coalesce(json_object_agg(done_by, n), '{}') FROM
                     (SELECT done_by, count(*) AS n FROM effects WHERE key LIKE '${prefix}-%' GROUP BY done_by) v),
       'twice', (SELECT coalesce(json_agg(key), '[]') FROM
                 (SELECT key FROM effects WHERE key LIKE '${prefix}-%' GROUP BY key HAVING count(*) > 1) t))`,
  );
  return JSON.parse(answer) as Effects;
}
