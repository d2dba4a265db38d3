import { root, type World } from "./world.ts";

/** How the app in the same namespace reaches the database of `startPostgres`. */
export const dsn = "postgres://postgres:app@postgres:5432/app";

/** A real PostgreSQL in the namespace, ready for connections. */
export async function startPostgres(world: World, namespace: string): Promise<void> {
  await world.lab(["image", "build", "postgres"]);
  await world.kubectl(["apply", "-n", namespace, "-f", `${root}/e2e/manifests/postgres.yaml`]);
  await world.kubectl(["rollout", "status", "-n", namespace, "deploy/postgres", "--timeout=120s"]);
}

/** Runs SQL in the database and gives the rows as text. */
export async function sql(world: World, namespace: string, statement: string): Promise<string> {
  const ran = await world.kubectl([
    ...["exec", "-n", namespace, "deploy/postgres", "--"],
    ...["psql", dsn.replace("@postgres:", "@127.0.0.1:"), "-Atc", statement],
  ]);
  return ran.stdout.trim();
}
