// Anthropic's own clients for Amazon Bedrock and Vertex AI, for Node.

import { readFileSync } from "node:fs";
import { AnthropicBedrock } from "@anthropic-ai/bedrock-sdk";
import { AnthropicVertex } from "@anthropic-ai/vertex-sdk";
import * as suite_ from "../lib/suite.mjs";

const { AFTER_TOOLS, ARGUMENTS, CALL_BOTH, CITY, GATEWAY, KEY, RESULTS_OF } = suite_;
const { Suite, assert, equal, model, raises } = suite_;

const versionOf = (name) =>
  JSON.parse(readFileSync(new URL(`package.json`, import.meta.resolve(`${name}/index.mjs`)))).version;
const suite = new Suite("anthropic-clouds-node", versionOf("@anthropic-ai/bedrock-sdk"));
// What Google's own credentials would be asked for.
const authClient = { getRequestHeaders: async () => new Headers({ authorization: `Bearer ${KEY}` }), projectId: "any" };
const clouds = {
  "bedrock.invoke": new AnthropicBedrock({ baseURL: GATEWAY, apiKey: KEY, awsRegion: "eu-central-1", maxRetries: 0 }),
  "vertex.raw_predict": new AnthropicVertex({
    baseURL: `${GATEWAY}/v1`, authClient, region: "europe-west4", projectId: "any", maxRetries: 0,
  }),
};
const BEHIND = ["openai", "anthropic", "gemini", "bedrock", "vertex"];
const tools = Object.keys(RESULTS_OF).map((name) => ({ name, description: name, input_schema: CITY }));
const request = (name, content, more) => ({
  model: name, max_tokens: 4_096, messages: [{ role: "user", content }], ...more,
});
const textOf = (message) => message.content.map((block) => block.text ?? "").join("");

for (const [front, client] of Object.entries(clouds)) {
  const cloud = front.split(".")[0];
  suite.case(front, "plain", `${cloud} one answer`, async (on) => {
    const { data, response } = await client.messages.create(request(model(on), "hello there")).withResponse();
    assert(response.headers.get("x-gatehouse-target").startsWith(`${on}/`));
    equal(textOf(data), "You said: hello there");
    equal([data.stop_reason, data.usage.output_tokens], ["end_turn", 4]);
  }, BEHIND);

  suite.case(front, "stream", `${cloud} streamed`, async (on) => {
    const text = "one two three: très bien, 日本語 🙂";
    const stream = client.messages.stream(request(model(on), text));
    const pieces = [];
    stream.on("text", (piece) => pieces.push(piece));
    const final = await stream.finalMessage();
    equal(pieces.join(""), `You said: ${text}`);
    assert(pieces.length > 1);
    equal([textOf(final), final.stop_reason], [`You said: ${text}`, "end_turn"]);
  }, BEHIND);

  suite.case(front, "tools", `${cloud} two tools`, async (on) => {
    const first = await client.messages.stream(request(model(on), CALL_BOTH, { tools })).finalMessage();
    const calls = first.content.filter((block) => block.type === "tool_use");
    equal(calls.map((call) => [call.name, call.input]), Object.keys(RESULTS_OF).map((name) => [name, ARGUMENTS]));
    const results = calls.map((call) => ({
      type: "tool_result", tool_use_id: call.id, content: RESULTS_OF[call.name],
    }));
    const asked = request(model(on), CALL_BOTH, { tools });
    asked.messages.push({ role: "assistant", content: first.content }, { role: "user", content: results });
    equal(textOf(await client.messages.create(asked)), AFTER_TOOLS);
  }, BEHIND);

  suite.case(front, "error", `${cloud} unknown model`, async (on) => {
    const error = await raises(Error, () => client.messages.create(request(model(on, "missing"), "x")));
    equal(error.status, 404);
  }, BEHIND);

  suite.case(front, "error", `${cloud} a stream that fails`, async (on) => {
    const name = model(on, "failing");
    const stream = await client.messages.create({ ...request(name, "one two three four five six"), stream: true });
    let seen = 0;
    await raises(Error, async () => {
      for await (const _ of stream) seen += 1;
    });
    assert(seen > 0);
  }, BEHIND);
}

await suite.main();
