// What every Node client's tests are written with; the sister of suite.py, which says what is what.

import assert from "node:assert/strict";
import { appendFileSync } from "node:fs";

export const GATEWAY = process.env.CLIENTS_GATEWAY;
export const KEY = process.env.CLIENTS_KEY;
const SIMULATOR = process.env.CLIENTS_SIMULATOR;
const RESULTS = process.env.CLIENTS_RESULTS;

export const ALL = ["openai", "anthropic", "gemini"];
export const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";
export const CITY = {
  type: "object",
  properties: { city: { type: "string" }, days: { type: "integer" } },
  required: ["city", "days"],
  additionalProperties: false,
};
export const CALL_BOTH = "Please use weather and clock with city=Oslo days=3";
export const ARGUMENTS = { city: "Oslo", days: 3 };
export const RESULTS_OF = { weather: "rain", clock: "noon" };
export const AFTER_TOOLS = "Tool said: rain noon";
// How long one case may take.
const CASE_MS_MAX = 30_000;

/** The cases of one client. */
export class Suite {
  #cases = [];

  constructor(client, version) {
    this.client = client;
    this.version = version;
  }

  /** Adds a function that is called with each of these providers' names. */
  case(front, feature, name, run, on = ALL) {
    this.#cases.push({ front, feature, name, run, on });
  }

  /** A model that misbehaves and that nothing else calls: the name to call, and the one seen there. */
  own(provider, behaviour) {
    const there = `${behaviour}+${this.client}+${provider}`;
    return [`${provider}/${there}`, there];
  }

  /** Runs all cases, or those whose name contains the first argument. */
  async main() {
    const wanted = process.argv[2] ?? "";
    let failed = 0;
    for (const one of this.#cases.filter((one) => one.name.includes(wanted))) {
      for (const provider of one.on) failed += (await this.#run(one, provider)) ? 0 : 1;
    }
    process.exit(failed ? 1 : 0);
  }

  async #run({ front, feature, name, run }, provider) {
    let said;
    let timer;
    const began = performance.now();
    const late = new Promise((_, refuse) => {
      timer = setTimeout(() => refuse(new Error("took too long")), CASE_MS_MAX);
    });
    try {
      await Promise.race([run(provider), late]);
    } catch (error) {
      said = String(error?.stack ?? error);
      console.log(`FAILED ${this.client} ${name} [${provider}]\n${said}`);
    } finally {
      clearTimeout(timer);
    }
    const { client, version } = this;
    const outcome = said ? "failed" : "passed";
    const ms = Math.round(performance.now() - began);
    const what = { client, version, front, feature, provider, case: name };
    const result = { ...what, outcome, ms, ...(said && { said }) };
    appendFileSync(RESULTS, `${JSON.stringify(result)}\n`);
    return !said;
  }
}

/** The name that the gateway's configuration has for a provider, or for its misbehaviour. */
export const model = (provider, behaviour) =>
  behaviour ? `${behaviour}-on-${provider}` : `on-${provider}`;

/** How many calls the simulated provider got for a model of its own. */
export async function arrivals(there) {
  const { rows } = await (await fetch(`${SIMULATOR}/_sim/stats`)).json();
  return rows.filter((row) => row.model === there).reduce((sum, row) => sum + row.received, 0);
}

/** Waits until the simulated provider saw that a call for this model was given up. */
export async function cancelled(there) {
  const query = new URLSearchParams({ cancelled: 1, model: there, timeout_ms: 5000 });
  return (await (await fetch(`${SIMULATOR}/_sim/wait?${query}`)).json()).reached;
}

/** Runs an action that has to throw, and returns what it threw. */
export async function raises(kind, action) {
  let outcome;
  try {
    outcome = await action();
  } catch (error) {
    if (error instanceof kind) return error;
    throw error;
  }
  throw new Error(`${kind.name} expected, but it returned ${JSON.stringify(outcome)}`);
}

/** All items of an asynchronous stream. */
export async function all(stream) {
  const items = [];
  for await (const item of stream) items.push(item);
  return items;
}

export const equal = assert.deepEqual;
export { assert };
