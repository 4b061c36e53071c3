// OpenAI's own client for Node: chat, responses, embeddings.

import OpenAI from "openai";
import { zodResponseFormat, zodTextFormat } from "openai/helpers/zod";
import { VERSION } from "openai/version";
import { z } from "zod";
import * as suite_ from "../lib/suite.mjs";

const { AFTER_TOOLS, ARGUMENTS, CALL_BOTH, CITY, GATEWAY, KEY, PNG, RESULTS_OF } = suite_;
const { Suite, all, arrivals, assert, cancelled, equal, model, raises } = suite_;

const suite = new Suite("openai-node", VERSION);
const client = new OpenAI({ baseURL: `${GATEWAY}/v1`, apiKey: KEY });
const City = z.object({ city: z.string(), days: z.int() });
const PICTURE = `data:image/png;base64,${PNG}`;
const chatTools = Object.keys(RESULTS_OF).map((name) => ({
  type: "function",
  function: { name, description: `The ${name}.`, parameters: CITY },
}));
const responsesTools = Object.keys(RESULTS_OF).map((name) => ({
  type: "function",
  name,
  description: `The ${name}.`,
  parameters: CITY,
  strict: true,
}));
const wantedCalls = Object.keys(RESULTS_OF).map((name) => [name, ARGUMENTS]);
const said = (content) => [{ role: "user", content }];

// === chat ===

suite.case("chat", "plain", "chat", async (on) => {
  const { data, response } = await client.chat.completions
    .create({ model: model(on), messages: said("hello there") })
    .withResponse();
  assert(response.headers.get("x-gatehouse-record"));
  assert(response.headers.get("x-gatehouse-target").startsWith(`${on}/`));
  assert(Number(response.headers.get("x-gatehouse-cost")) > 0);
  equal(data.choices[0].message.content, "You said: hello there");
  equal(data.choices[0].finish_reason, "stop");
  equal(data.usage.completion_tokens, 4);
});

suite.case("chat", "stream", "chat streamed", async (on) => {
  const request = { model: model(on), messages: said("one two three: très bien, 日本語 🙂") };
  const whole = await client.chat.completions.create(request);
  const options = { stream: true, stream_options: { include_usage: true } };
  const chunks = await all(await client.chat.completions.create({ ...request, ...options }));
  const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");
  equal(text, whole.choices[0].message.content);
  equal(chunks.at(-1).usage.completion_tokens, whole.usage.completion_tokens);
});

suite.case("chat", "tools", "chat tools streamed", async (on) => {
  const messages = said(CALL_BOTH);
  const stream = client.chat.completions.stream({ model: model(on), messages, tools: chatTools });
  const { message } = (await stream.finalChatCompletion()).choices[0];
  const calls = message.tool_calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)]);
  equal(calls, wantedCalls);
  messages.push(message);
  for (const call of message.tool_calls) {
    messages.push({ role: "tool", tool_call_id: call.id, content: RESULTS_OF[call.function.name] });
  }
  const last = await client.chat.completions.create({ model: model(on), messages, tools: chatTools });
  equal(last.choices[0].message.content, AFTER_TOOLS);
});

suite.case("chat", "tools", "chat runs tools by itself", async (on) => {
  const tools = Object.entries(RESULTS_OF).map(([name, result]) => ({
    type: "function",
    function: { name, description: name, parameters: CITY, parse: JSON.parse, function: () => result },
  }));
  const runner = client.chat.completions.runTools({ model: model(on), messages: said(CALL_BOTH), tools });
  equal(await runner.finalContent(), AFTER_TOOLS);
});

suite.case("chat", "structured", "chat structured", async (on) => {
  const answer = await client.chat.completions.parse({
    model: model(on),
    messages: said("city=Oslo days=3"),
    response_format: zodResponseFormat(City, "city"),
  });
  equal(answer.choices[0].message.parsed, ARGUMENTS);
});

suite.case("chat", "image", "chat image", async (on) => {
  const content = [
    { type: "text", text: "look" },
    { type: "image_url", image_url: { url: PICTURE } },
  ];
  const answer = await client.chat.completions.create({ model: model(on), messages: said(content) });
  equal(answer.choices[0].message.content, "You said: look [1 image]");
});

suite.case(
  "chat",
  "reasoning",
  "chat reasoning",
  async (on) => {
    const messages = said(CALL_BOTH);
    const request = { model: on === "signed" ? model("gemini", on) : model(on), tools: chatTools };
    request.reasoning_effort = "low";
    const first = (await client.chat.completions.create({ ...request, messages })).choices[0].message;
    messages.push(first);
    for (const call of first.tool_calls) {
      messages.push({ role: "tool", tool_call_id: call.id, content: RESULTS_OF[call.function.name] });
    }
    const last = await client.chat.completions.create({ ...request, messages });
    equal(last.choices[0].message.content, AFTER_TOOLS);
  },
  ["openai", "anthropic", "gemini", "signed"],
);

suite.case("chat", "error", "chat errors", async (on) => {
  const ask = (who, name) => who.chat.completions.create({ model: name, messages: said("hi") });
  const stranger = new OpenAI({ baseURL: `${GATEWAY}/v1`, apiKey: "no-such-key" });
  let error = await raises(OpenAI.AuthenticationError, () => ask(stranger, model(on)));
  equal([error.status, error.code], [401, "invalid_api_key"]);
  error = await raises(OpenAI.NotFoundError, () => ask(client, "nobody-knows-this"));
  equal([error.status, error.code], [404, "model_not_found"]);
  const [limited, limitedThere] = suite.own(on, "ratelimit-60");
  error = await raises(OpenAI.RateLimitError, () => ask(client, limited));
  equal([error.status, error.code], [429, "upstream_rate_limited"]);
  equal(await arrivals(limitedThere), 1);
  const [broken, brokenThere] = suite.own(on, "error-500");
  error = await raises(OpenAI.InternalServerError, () => ask(client, broken));
  assert(error.code.startsWith("upstream_"));
  equal(await arrivals(brokenThere), Number(error.headers.get("x-gatehouse-attempts")));
});

suite.case("chat", "error", "chat cut", async (on) => {
  const messages = said("one two three four five six seven");
  const stream = await client.chat.completions.create({ model: model(on, "cut"), messages, stream: true });
  await raises(OpenAI.APIError, () => all(stream));
});

suite.case("chat", "disconnect", "chat disconnect", async (on) => {
  const [name, there] = suite.own(on, "drip-100");
  const messages = said("word ".repeat(100));
  for await (const chunk of await client.chat.completions.create({ model: name, messages, stream: true })) {
    if (chunk) break;
  }
  assert(await cancelled(there));
});

// === responses ===

suite.case("responses", "plain", "responses", async (on) => {
  const answer = await client.responses.create({ model: model(on), input: "hello there", store: false });
  equal(answer.output_text, "You said: hello there");
  equal(answer.usage.output_tokens, 4);
});

suite.case("responses", "stream", "responses streamed", async (on) => {
  const request = { model: model(on), input: "one two three", store: false };
  const whole = await client.responses.create(request);
  const stream = client.responses.stream(request);
  const events = await all(stream);
  const deltas = events.filter((event) => event.type === "response.output_text.delta");
  equal(deltas.map((event) => event.delta).join(""), whole.output_text);
  equal(events.at(-1).type, "response.completed");
  equal((await stream.finalResponse()).usage, whole.usage);
});

suite.case("responses", "tools", "responses tools streamed", async (on) => {
  const request = { model: model(on), tools: responsesTools, store: false };
  const first = await client.responses.stream({ ...request, input: CALL_BOTH }).finalResponse();
  const calls = first.output.filter((item) => item.type === "function_call");
  equal(calls.map((call) => [call.name, JSON.parse(call.arguments)]), wantedCalls);
  const results = calls.map((call) => ({
    type: "function_call_output",
    call_id: call.call_id,
    output: RESULTS_OF[call.name],
  }));
  const sent = first.output.map(({ parsed_arguments: _, ...item }) => item);
  const input = [...said(CALL_BOTH), ...sent, ...results];
  const last = await client.responses.create({ ...request, input });
  equal(last.output_text, AFTER_TOOLS);
});

suite.case("responses", "structured", "responses structured", async (on) => {
  const answer = await client.responses.parse({
    model: model(on),
    input: "city=Oslo days=3",
    text: { format: zodTextFormat(City, "city") },
    store: false,
  });
  equal(answer.output_parsed, ARGUMENTS);
});

suite.case("responses", "kept", "responses kept", async (on) => {
  const first = await client.responses.create({ model: model(on), input: "hello there" });
  const more = { previous_response_id: first.id };
  const last = await client.responses.stream({ model: model(on), input: "and now", ...more }).finalResponse();
  equal([last.output_text, last.previous_response_id], ["You said: and now", first.id]);
  equal((await client.responses.retrieve(last.id)).output_text, last.output_text);
  const items = await all(await client.responses.inputItems.list(last.id, { limit: 1 }));
  equal(items.map((item) => item.role), ["user", "assistant", "user"]);
  await client.responses.delete(first.id);
  const ask = () => client.responses.create({ model: model(on), input: "hi", ...more });
  equal((await raises(OpenAI.NotFoundError, ask)).param, "previous_response_id");
});

suite.case("responses", "background", "responses in the background", async (on) => {
  let made = await client.responses.create({ model: model(on), input: "one two", background: true });
  while (made.status === "in_progress") made = await client.responses.retrieve(made.id);
  equal([made.status, made.output_text], ["completed", "You said: one two"]);
  equal((await client.responses.cancel(made.id)).status, "completed");
});

suite.case("responses", "error", "responses errors", async (on) => {
  const ask = (name) => client.responses.create({ model: name, input: "hi" });
  const error = await raises(OpenAI.NotFoundError, () => ask("nobody-knows-this"));
  equal([error.status, error.code], [404, "model_not_found"]);
  await raises(OpenAI.RateLimitError, () => ask(model(on, "limited")));
});

// === embeddings ===

suite.case(
  "embeddings",
  "plain",
  "embeddings",
  async (on) => {
    const { data } = await client.embeddings.create({ model: model(on), input: ["one", "two", "one"] });
    equal(data[0].embedding, data[2].embedding);
    assert.notDeepEqual(data[0].embedding, data[1].embedding);
    equal(data[0].embedding.length, 8);
  },
  ["openai", "gemini", "compatible"],
);

// === media ===

suite.case(
  "audio",
  "plain",
  "speech and its transcript",
  async (on) => {
    const spoken = await client.audio.speech.create({ model: model(on), voice: "alloy", input: "hello" });
    equal((await spoken.arrayBuffer()).byteLength, 8 * "hello".length);
    // The file stands before the model here.
    const file = await OpenAI.toFile(Buffer.alloc(16_000), "a.mp3");
    const heard = await client.audio.transcriptions.create({ file, model: model(on) });
    equal(heard.text, "a.mp3 has 16000 bytes.");
  },
  ["openai"],
);

suite.case(
  "images",
  "plain",
  "images",
  async (on) => {
    const image = await OpenAI.toFile(Buffer.from(PNG, "base64"), "a.png", { type: "image/png" });
    const changed = await client.images.edit({ image, prompt: "in blue", model: model(on) });
    equal(changed.usage.input_tokens, 102);
    const { results } = await client.moderations.create({ model: model(on), input: "violence" });
    equal(results[0].flagged, true);
  },
  ["openai"],
);

// === files and batches ===

const HAS_BATCHES = ["openai", "azure", "groq"];

suite.case(
  "batches",
  "plain",
  "files and batches",
  async (on) => {
    const body = { model: model(on), messages: said("one") };
    const line = { custom_id: "a", method: "POST", url: "/v1/chat/completions", body };
    const upload = await OpenAI.toFile(Buffer.from(JSON.stringify(line)), "in.jsonl");
    const file = await client.files.create({ file: upload, purpose: "batch" });
    equal((await client.files.retrieve(file.id)).id, file.id);
    const batch = await client.batches.create({
      input_file_id: file.id,
      endpoint: "/v1/chat/completions",
      completion_window: "24h",
    });
    let done = batch;
    for (let looks = 0; looks < 100 && done.status !== "completed"; looks += 1) {
      done = await client.batches.retrieve(batch.id);
    }
    equal([done.id, done.status, done.input_file_id], [batch.id, "completed", file.id]);
    const answer = JSON.parse(await (await client.files.content(done.output_file_id)).text());
    equal(answer.response.body.choices[0].message.content, "You said: one");
    assert((await all(await client.batches.list({ limit: 1 }))).some(({ id }) => id === batch.id));
    assert((await all(await client.files.list({ purpose: "batch" }))).some(({ id }) => id === file.id));
    equal((await client.files.delete(file.id)).deleted, true);
  },
  HAS_BATCHES,
);

await suite.main();
