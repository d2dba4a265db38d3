// Runs in a pod of the app: asks the jobs API for jobs, at most so many a second, until its stdin ends. Every tenth is
// asked for twice, at the same time and with the same key; and as a client must, it asks with the same key again where an
// answer was none. Prints what was accepted as one line of JSON.
const [url, prefix, rate] = process.argv.slice(1);
const accepted = [];
const refused = [];
process.stdin.resume();

const mostAtOnce = 8;
const patienceMs = 60_000;

async function ask(key) {
  const headers = { "content-type": "application/json", "idempotency-key": key };
  const body = JSON.stringify({ text: "one two three" });
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const answer = await fetch(`${url}/api/v1/jobs`, { method: "POST", headers, body }).catch((error) => error);
    await answer.body?.cancel();
    if (answer.status === 202 || answer.status === 200) return;
    if (answer.status < 500 || performance.now() > deadline) throw new Error(String(answer.status ?? answer));
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

const startedAt = performance.now();
const running = new Set();
for (let n = 0; !process.stdin.readableEnded; n += 1) {
  await new Promise((resolve) => setTimeout(resolve, startedAt + (n * 1000) / Number(rate) - performance.now()));
  while (running.size >= mostAtOnce) await Promise.race(running);
  const key = `${prefix}-${n}`;
  const asked = Promise.all(n % 10 === 0 ? [ask(key), ask(key)] : [ask(key)])
    .then(() => accepted.push(key))
    .catch((error) => refused.push(`${key}: ${error.message}`))
    .finally(() => running.delete(asked));
  running.add(asked);
}
await Promise.all(running);
console.log(JSON.stringify({ accepted, refused }));
