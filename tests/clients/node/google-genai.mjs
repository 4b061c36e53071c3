// Google's own client for Node.

import { readFileSync } from "node:fs";
import { ApiError, FinishReason, FunctionCallingConfigMode, GoogleGenAI, Modality } from "@google/genai";
import * as suite_ from "../lib/suite.mjs";

const { AFTER_TOOLS, ARGUMENTS, CALL_BOTH, CITY, GATEWAY, KEY, PNG, RESULTS_OF } = suite_;
const { Suite, all, arrivals, assert, cancelled, equal, model, raises } = suite_;

const packageFile = new URL("node_modules/@google/genai/package.json", import.meta.url);
const suite = new Suite("google-genai-node", JSON.parse(readFileSync(packageFile, "utf8")).version);
const client = new GoogleGenAI({ apiKey: KEY, httpOptions: { baseUrl: GATEWAY } });
const functionDeclarations = Object.keys(RESULTS_OF).map((name) => ({
  name,
  description: `The ${name}.`,
  parametersJsonSchema: CITY,
}));
const tools = [{ functionDeclarations }];
const wantedCalls = Object.keys(RESULTS_OF).map((name) => [name, ARGUMENTS]);
const ask = (name, contents, config) => client.models.generateContent({ model: name, contents, config });
const askStreamed = async (name, contents, config) =>
  all(await client.models.generateContentStream({ model: name, contents, config }));

async function afterCalls(name, parts, config) {
  const calls = parts.filter((part) => part.functionCall).map((part) => part.functionCall);
  equal(calls.map((call) => [call.name, call.args]), wantedCalls);
  const results = calls.map(({ id, name: called }) => ({
    functionResponse: { id, name: called, response: { result: RESULTS_OF[called] } },
  }));
  const contents = [
    { role: "user", parts: [{ text: CALL_BOTH }] },
    { role: "model", parts },
    { role: "user", parts: results },
  ];
  equal((await ask(name, contents, { tools, ...config })).text, AFTER_TOOLS);
}

suite.case("gemini", "plain", "content", async (on) => {
  const answer = await ask(model(on), "hello there", { systemInstruction: "be kind" });
  equal(answer.text, "You said: hello there");
  equal(answer.candidates[0].finishReason, FinishReason.STOP);
  equal(answer.usageMetadata.candidatesTokenCount, 4);
  const { headers } = answer.sdkHttpResponse;
  assert(headers["x-gatehouse-record"]);
  assert(headers["x-gatehouse-target"].startsWith(`${on}/`));
  assert(Number(headers["x-gatehouse-cost"]) > 0);
});

suite.case("gemini", "stream", "content streamed", async (on) => {
  const text = "one two three: très bien, 日本語 🙂";
  const whole = await ask(model(on), text);
  const chunks = await askStreamed(model(on), text);
  equal(chunks.map((chunk) => chunk.text ?? "").join(""), whole.text);
  equal(chunks.at(-1).usageMetadata.candidatesTokenCount, whole.usageMetadata.candidatesTokenCount);
});

suite.case("gemini", "tools", "content tools", async (on) => {
  const first = await ask(model(on), CALL_BOTH, { tools });
  await afterCalls(model(on), first.candidates[0].content.parts, {});
});

suite.case("gemini", "tools", "content tool choice", async (on) => {
  const functionCallingConfig = { mode: FunctionCallingConfigMode.ANY, allowedFunctionNames: ["clock"] };
  const answer = await ask(model(on), "hello", { tools, toolConfig: { functionCallingConfig } });
  equal(answer.functionCalls.map((call) => call.name), ["clock"]);
});

suite.case("gemini", "structured", "content structured", async (on) => {
  const config = { responseMimeType: "application/json", responseJsonSchema: CITY };
  equal(JSON.parse((await ask(model(on), "city=Oslo days=3", config)).text), ARGUMENTS);
});

suite.case("gemini", "image", "content image", async (on) => {
  const parts = [{ inlineData: { mimeType: "image/png", data: PNG } }, { text: "look" }];
  equal((await ask(model(on), [{ role: "user", parts }])).text, "You said: look [1 image]");
});

suite.case(
  "gemini",
  "reasoning",
  "content thoughts",
  async (on) => {
    const name = on === "signed" ? model("gemini", on) : model(on);
    const config = { thinkingConfig: { includeThoughts: true, thinkingBudget: 1_024 } };
    const chunks = await askStreamed(name, CALL_BOTH, { tools, ...config });
    await afterCalls(name, chunks.flatMap((chunk) => chunk.candidates[0].content?.parts ?? []), config);
  },
  ["openai", "anthropic", "gemini", "signed"],
);

suite.case("gemini", "count", "content count", async (on) => {
  const counted = await client.models.countTokens({ model: model(on), contents: "one two three" });
  assert(counted.totalTokens >= 3);
});

suite.case("gemini", "error", "content errors", async (on) => {
  const reason = (error) => JSON.parse(error.message).error.details.find((one) => one.reason).reason;
  const stranger = new GoogleGenAI({ apiKey: "no-such-key", httpOptions: { baseUrl: GATEWAY } });
  const refused = { model: model(on), contents: "hi" };
  let error = await raises(ApiError, () => stranger.models.generateContent(refused));
  equal([error.status, reason(error)], [401, "invalid_api_key"]);
  error = await raises(ApiError, () => ask("nobody-knows-this", "hi"));
  equal([error.status, reason(error)], [404, "model_not_found"]);
  const [limited, limitedThere] = suite.own(on, "ratelimit-60");
  error = await raises(ApiError, () => ask(limited, "hi"));
  equal([error.status, reason(error)], [429, "upstream_rate_limited"]);
  equal(await arrivals(limitedThere), 1);
});

suite.case("gemini", "error", "content cut", async (on) => {
  const text = "one two three four five six seven eight nine";
  await raises(Error, () => askStreamed(model(on, "cut"), text));
});

suite.case("gemini", "disconnect", "content disconnect", async (on) => {
  const [name, there] = suite.own(on, "drip-100");
  const leave = new AbortController();
  const config = { abortSignal: leave.signal };
  const contents = "word ".repeat(100);
  const stream = await client.models.generateContentStream({ model: name, contents, config });
  await stream.next();
  leave.abort();
  assert(await cancelled(there));
});

suite.case(
  "embeddings",
  "plain",
  "embeddings",
  async (on) => {
    const contents = ["one", "two", "one"].map((text) => ({ parts: [{ text }] }));
    const answer = await client.models.embedContent({ model: model(on), contents });
    const [one, two, again] = answer.embeddings.map((embedding) => embedding.values);
    equal(one, again);
    assert.notDeepEqual(one, two);
  },
  ["openai", "gemini", "compatible"],
);

// A session's messages, and how it ended.
async function session(name, config, say) {
  const messages = [];
  const ended = Promise.withResolvers();
  const connected = await client.live.connect({
    model: name,
    config,
    callbacks: {
      onmessage: (message) => {
        messages.push(message);
        if (message.serverContent?.turnComplete) ended.resolve();
      },
      onclose: ({ code, reason }) => ended.resolve({ code, reason }),
    },
  });
  say(connected);
  const closed = await ended.promise;
  connected.close();
  return { messages, closed };
}

suite.case(
  "live",
  "plain",
  "live",
  async (on) => {
    const say = (connected) => connected.sendRealtimeInput({ text: "hello there" });
    const text = await session(model(on), { responseModalities: [Modality.TEXT] }, say);
    equal(text.messages.map((message) => message.text ?? "").join(""), "You said: hello there");
    equal(text.messages.at(-1).usageMetadata.responseTokenCount, 4);
    const asks = (connected) => connected.sendClientContent({ turns: "aloud" });
    const aloud = await session(model(on), { responseModalities: [Modality.AUDIO] }, asks);
    const heard = aloud.messages.map((message) => message.serverContent?.outputTranscription?.text ?? "");
    equal(heard.join(""), "You said: aloud");
    assert(aloud.messages.some((message) => message.data?.startsWith("AAAA")));
  },
  ["gemini"],
);

suite.case(
  "live",
  "error",
  "live error",
  async (on) => {
    // It waits for ever for a session whose first message is refused, so that one is refused later.
    const say = (connected) => connected.conn.send('{"setup":{"model":"models/another"}}');
    const { closed } = await session(model(on), { responseModalities: [Modality.TEXT] }, say);
    equal(closed.code, 1008);
    assert(closed.reason.startsWith("invalid_request: "), closed.reason);
  },
  ["gemini"],
);

await suite.main();
