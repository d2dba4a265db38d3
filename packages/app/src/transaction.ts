import type { Pool, PoolClient } from "pg";

/** Runs `work` in a transaction: commits what it did, or undoes all of it when it throws. */
export async function inTransaction<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query("BEGIN");
    try {
      const result = await work(client);
      await client.query("COMMIT");
      return result;
    } catch (error) {
      // When even this fails the connection is dropped, and the server rolls back by itself.
      await client.query("ROLLBACK").catch((error: Error) => (broken = error));
      throw error;
    }
  } finally {
    client.release(broken);
  }
}
