// Anthropic's own client for Node.

import Anthropic from "@anthropic-ai/sdk";
import { VERSION } from "@anthropic-ai/sdk/version";
import * as suite_ from "../lib/suite.mjs";

const { AFTER_TOOLS, ARGUMENTS, CALL_BOTH, CITY, GATEWAY, KEY, PNG, RESULTS_OF } = suite_;
const { Suite, all, arrivals, assert, cancelled, equal, model, raises } = suite_;

const suite = new Suite("anthropic-node", VERSION);
const client = new Anthropic({ baseURL: GATEWAY, apiKey: KEY });
const tools = Object.keys(RESULTS_OF).map((name) => ({
  name,
  description: `The ${name}.`,
  input_schema: CITY,
}));
const wantedCalls = Object.keys(RESULTS_OF).map((name) => [name, ARGUMENTS]);
const THINKING = { type: "enabled", budget_tokens: 1_024 };
const said = (content) => [{ role: "user", content }];
const MAX_TOKENS = 4_096;
const request = (name, content, more) => ({
  model: name,
  max_tokens: MAX_TOKENS,
  messages: said(content),
  ...more,
});
const textOf = (message) => message.content.map((block) => block.text ?? "").join("");

async function afterCalls(name, first, more) {
  equal(first.stop_reason, "tool_use");
  const calls = first.content.filter((block) => block.type === "tool_use");
  equal(calls.map((call) => [call.name, call.input]), wantedCalls);
  const results = calls.map((call) => ({
    type: "tool_result",
    tool_use_id: call.id,
    content: RESULTS_OF[call.name],
  }));
  const messages = [...said(CALL_BOTH), { role: "assistant", content: first.content }, ...said(results)];
  const last = await client.messages.create({ ...request(name, ""), messages, tools, ...more });
  equal(textOf(last), AFTER_TOOLS);
}

suite.case("messages", "plain", "messages", async (on) => {
  const { data, response } = await client.messages.create(request(model(on), "hello there")).withResponse();
  assert(response.headers.get("x-gatehouse-record"));
  assert(response.headers.get("x-gatehouse-target").startsWith(`${on}/`));
  assert(Number(response.headers.get("x-gatehouse-cost")) > 0);
  equal(textOf(data), "You said: hello there");
  equal([data.stop_reason, data.usage.output_tokens], ["end_turn", 4]);
});

suite.case("messages", "stream", "messages streamed", async (on) => {
  const asked = request(model(on), "one two three: très bien, 日本語 🙂");
  const whole = await client.messages.create(asked);
  const stream = client.messages.stream(asked);
  const pieces = [];
  stream.on("text", (piece) => pieces.push(piece));
  const final = await stream.finalMessage();
  equal(pieces.join(""), textOf(whole));
  equal(textOf(final), textOf(whole));
  equal(final.usage.output_tokens, whole.usage.output_tokens);
});

suite.case("messages", "tools", "messages tools streamed", async (on) => {
  const first = await client.messages.stream(request(model(on), CALL_BOTH, { tools })).finalMessage();
  await afterCalls(model(on), first, {});
});

suite.case("messages", "structured", "messages structured", async (on) => {
  const format = { type: "json_schema", schema: CITY };
  const asked = request(model(on), "city=Oslo days=3", { output_config: { format } });
  equal(JSON.parse(textOf(await client.messages.create(asked))), ARGUMENTS);
});

suite.case("messages", "image", "messages image", async (on) => {
  const source = { type: "base64", media_type: "image/png", data: PNG };
  const content = [{ type: "image", source }, { type: "text", text: "look" }];
  equal(textOf(await client.messages.create(request(model(on), content))), "You said: look [1 image]");
});

suite.case(
  "messages",
  "reasoning",
  "messages thinking",
  async (on) => {
    const name = on === "signed" ? model("gemini", on) : model(on);
    const asked = request(name, CALL_BOTH, { tools, thinking: THINKING });
    const first = await client.messages.stream(asked).finalMessage();
    if (on !== "openai") equal(first.content[0].type, "thinking");
    await afterCalls(name, first, { thinking: THINKING });
  },
  ["openai", "anthropic", "gemini", "signed"],
);

suite.case("messages", "count", "messages count", async (on) => {
  const counted = await client.messages.countTokens({ model: model(on), messages: said("one two three") });
  assert(counted.input_tokens >= 3);
});

suite.case("messages", "error", "messages errors", async (on) => {
  const ask = (who, name) => who.messages.create(request(name, "hi"));
  const code = (error) => error.error.error.code;
  const stranger = new Anthropic({ baseURL: GATEWAY, apiKey: "no-such-key" });
  let error = await raises(Anthropic.AuthenticationError, () => ask(stranger, model(on)));
  equal([error.status, code(error)], [401, "invalid_api_key"]);
  error = await raises(Anthropic.NotFoundError, () => ask(client, "nobody-knows-this"));
  equal([error.status, code(error)], [404, "model_not_found"]);
  const [limited, limitedThere] = suite.own(on, "ratelimit-60");
  error = await raises(Anthropic.RateLimitError, () => ask(client, limited));
  equal([error.status, code(error)], [429, "upstream_rate_limited"]);
  equal(await arrivals(limitedThere), 1);
  const [broken, brokenThere] = suite.own(on, "error-500");
  error = await raises(Anthropic.InternalServerError, () => ask(client, broken));
  equal(await arrivals(brokenThere), Number(error.headers.get("x-gatehouse-attempts")));
});

suite.case("messages", "error", "messages cut", async (on) => {
  const asked = request(model(on, "cut"), "one two three four five six seven", { stream: true });
  await raises(Anthropic.APIError, async () => all(await client.messages.create(asked)));
});

suite.case("messages", "disconnect", "messages disconnect", async (on) => {
  const [name, there] = suite.own(on, "drip-100");
  const asked = request(name, "word ".repeat(100), { stream: true });
  for await (const event of await client.messages.create(asked)) {
    if (event.type === "content_block_delta") break;
  }
  assert(await cancelled(there));
});

await suite.main();
