import { Random } from "@safe-deploy/verdict";
import { expect, test } from "vitest";
import { Adam } from "../src/dqn/adam.ts";
import { parameterCount, QNetwork } from "../src/dqn/q-network.ts";

test("the gradient is that of finite differences", () => {
  const random = new Random(7);
  const batch = 5;
  const network = QNetwork.random([6, 9, 8, 4], random);
  const activations = network.activations(batch);
  const inputs = activations[0]!;
  for (let i = 0; i < inputs.length; i++) inputs[i] = 2 * random.uniform() - 1;
  const factors = Float32Array.from({ length: batch * 4 }, () => 2 * random.uniform() - 1);
  const loss = () => network.forward(activations, batch).reduce((sum, value, i) => sum + value * factors[i]!, 0);

  loss();
  const deltas = network.activations(batch);
  deltas.at(-1)!.set(factors);
  const gradient = new Float32Array(network.parameters.length);
  network.backward(activations, deltas, batch, gradient);

  // The outputs are sums of rectified 32-bit numbers: half a percent is what such a difference can tell.
  const h = 1e-2;
  let compared = 0;
  for (let i = 0; i < network.parameters.length; i++) {
    const before = network.parameters[i]!;
    network.parameters[i] = before + h;
    const above = loss();
    network.parameters[i] = before - h;
    const below = loss();
    network.parameters[i] = before;
    const middle = loss();
    const rising = above - middle;
    const falling = middle - below;
    // A rectifier between the two points has no derivative to compare with.
    if (Math.abs(rising - falling) > 1e-4) continue;
    compared++;
    expect(gradient[i]).toBeCloseTo((above - below) / (2 * h), 2);
  }
  expect(compared).toBeGreaterThan(0.8 * network.parameters.length);
});

test("a gradient is added to what is there", () => {
  const network = QNetwork.random([2, 3, 4], new Random(1));
  const activations = network.activations(1);
  activations[0]!.set([0.5, -0.25]);
  network.forward(activations, 1);
  const once = new Float32Array(network.parameters.length);
  const twice = new Float32Array(network.parameters.length);
  for (const gradient of [once, twice, twice]) {
    const deltas = network.activations(1);
    deltas.at(-1)!.fill(1);
    network.backward(activations, deltas, 1, gradient);
  }
  expect([...twice]).toEqual([...once].map((value) => 2 * value));
});

test("Adam finds the lowest point of a bowl", () => {
  const place = Float32Array.of(3, -2);
  const adam = new Adam(2);
  for (let i = 0; i < 3000; i++) adam.step(place, Float32Array.of(2 * (place[0]! - 1), 20 * (place[1]! - 0.5)), 0.01);
  expect(place[0]).toBeCloseTo(1, 2);
  expect(place[1]).toBeCloseTo(0.5, 2);
});

test("a network refuses parameters that are not as many as its layers need", () => {
  expect(parameterCount([22, 64, 64, 4])).toBe(5892);
  expect(() => new QNetwork([2, 3, 4], new Float32Array(24))).toThrow("2-3-4 have 25 parameters, not 24");
});
