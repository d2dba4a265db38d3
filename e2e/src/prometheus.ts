import type { World } from "./world.ts";

interface Answer {
  status: string;
  error?: string;
  data?: { resultType: string; result: { value: [number, string] }[] };
}

/** Asks the cluster's Prometheus, through the API server, and gives the value of every series of the answer. */
export async function askPrometheus(world: World, query: string): Promise<number[]> {
  const prometheus = "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy";
  const path = `${prometheus}/api/v1/query?query=${encodeURIComponent(query)}`;
  const answer = (await world.kube.raw("GET", path)) as Answer;
  if (answer.data === undefined) throw new Error(`Prometheus refused the query: ${answer.error}\n${query}`);
  return answer.data.result.map(({ value }) => Number(value[1]));
}
