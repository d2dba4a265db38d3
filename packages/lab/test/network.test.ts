import { describe, expect, test } from "vitest";
import { chooseSubnet } from "../src/node/network.ts";

describe("the network between host and lab", () => {
  test("is the first one on an unused machine", () => {
    expect(chooseSubnet([])).toEqual({ index: 0, hostIp: "10.77.0.1", nodeIp: "10.77.0.2" });
  });

  test("does not overlap another lab's link", () => {
    expect(chooseSubnet(["10.77.0.1/30", "192.168.1.5/24"])?.index).toBe(1);
  });

  test("does not overlap a wider network that contains it", () => {
    expect(chooseSubnet(["10.77.0.0/25", "10.77.1.0/24", "10.77.2.9/31"])?.index).toBe(2);
  });

  test("is the one the lab had before, if nobody took it", () => {
    expect(chooseSubnet(["10.77.0.1/30"], 9)?.index).toBe(9);
    expect(chooseSubnet(["10.77.0.1/30", "10.77.9.1/30"], 9)?.index).toBe(1);
  });

  test("is none where the machine uses the whole range", () => {
    expect(chooseSubnet(["10.0.0.0/8"])).toBeUndefined();
  });
});
