// Vercel's AI SDK over OpenAI's fronts (responses is its default, chat) and Anthropic's.

import { readFileSync } from "node:fs";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { APICallError, Output, embedMany, generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";
import * as suite_ from "../lib/suite.mjs";

const { AFTER_TOOLS, ARGUMENTS, CALL_BOTH, CITY, GATEWAY, KEY, PNG, RESULTS_OF } = suite_;
const { Suite, all, assert, equal, model, raises } = suite_;

const packageFile = new URL("node_modules/ai/package.json", import.meta.url);
const suite = new Suite("ai-sdk", JSON.parse(readFileSync(packageFile, "utf8")).version);
const openai = createOpenAI({ baseURL: `${GATEWAY}/v1`, apiKey: KEY });
const anthropic = createAnthropic({ baseURL: `${GATEWAY}/v1`, apiKey: KEY });
const FRONTS = { responses: openai, chat: openai.chat, messages: anthropic };
// The conversation is sent whole each time; kept ones have cases of their own.
const STATELESS = { openai: { store: false } };
const tools = Object.fromEntries(
  Object.entries(RESULTS_OF).map(([name, result]) => [
    name,
    tool({
      description: `The ${name}.`,
      inputSchema: jsonSchema(CITY),
      execute: (input) => {
        equal(input, ARGUMENTS);
        return result;
      },
    }),
  ]),
);

for (const [front, make] of Object.entries(FRONTS)) {
  const request = (name, prompt, more) => ({
    model: make(name),
    prompt,
    maxRetries: 1,
    providerOptions: STATELESS,
    ...more,
  });

  suite.case(front, "plain", `${front} text`, async (on) => {
    const { text, usage, response } = await generateText(request(model(on), "hello there"));
    equal(text, "You said: hello there");
    equal(usage.outputTokens, 4);
    assert(usage.inputTokens > 0);
    assert(response.headers["x-gatehouse-record"]);
  });

  suite.case(front, "stream", `${front} text streamed`, async (on) => {
    const result = streamText(request(model(on), "one two three"));
    equal((await all(result.textStream)).join(""), "You said: one two three");
    equal((await result.usage).outputTokens, 5);
    equal(await result.finishReason, "stop");
  });

  suite.case(front, "tools", `${front} tools`, async (on) => {
    const asked = request(model(on), CALL_BOTH, { tools, stopWhen: stepCountIs(3) });
    const { text, steps } = await generateText(asked);
    equal(steps[0].toolCalls.map((call) => call.toolName), Object.keys(RESULTS_OF));
    equal(text, AFTER_TOOLS);
  });

  suite.case(front, "tools", `${front} tools streamed`, async (on) => {
    const result = streamText(request(model(on), CALL_BOTH, { tools, stopWhen: stepCountIs(3) }));
    equal((await all(result.textStream)).join(""), AFTER_TOOLS);
  });

  suite.case(front, "structured", `${front} object`, async (on) => {
    const schema = z.object({ city: z.string(), days: z.int() });
    const result = await generateText(
      request(model(on), "city=Oslo days=3", { output: Output.object({ schema }) }),
    );
    equal(result.output, ARGUMENTS);
  });

  suite.case(front, "image", `${front} image`, async (on) => {
    const content = [
      { type: "text", text: "look" },
      { type: "file", data: PNG, mediaType: "image/png" },
    ];
    const { text } = await generateText({
      ...request(model(on), undefined),
      messages: [{ role: "user", content }],
    });
    equal(text, "You said: look [1 image]");
  });

  suite.case(front, "error", `${front} errors`, async (on) => {
    let error = await raises(APICallError, () => generateText(request("nobody-knows-this", "hi")));
    equal(error.statusCode, 404);
    error = await raises(Error, () =>
      generateText(request(model(on, "limited"), "hi", { maxRetries: 0 })),
    );
    equal(error.statusCode, 429);
    const errors = [];
    const onError = ({ error: one }) => errors.push(one);
    const cut = streamText(request(model(on, "cut"), "one two three four five six seven", { onError }));
    await cut.consumeStream({ onError: () => {} });
    assert(errors.length > 0, "a cut stream ended in silence");
  });
}

// Left to itself, the SDK only names what it was told before.
suite.case("responses", "kept", "responses kept", async (on) => {
  const asked = { model: openai(model(on)), prompt: CALL_BOTH, tools, stopWhen: stepCountIs(3), maxRetries: 0 };
  const { text, steps, response } = await generateText(asked);
  equal(text, AFTER_TOOLS);
  const more = [{ role: "user", content: CALL_BOTH }, ...response.messages, { role: "user", content: "and now" }];
  equal((await generateText({ model: asked.model, messages: more, maxRetries: 0 })).text, "You said: and now");
  const previousResponseId = steps.at(-1).providerMetadata.openai.responseId;
  const on_ = streamText({ model: asked.model, prompt: "go on", providerOptions: { openai: { previousResponseId } } });
  equal((await all(on_.textStream)).join(""), "You said: go on");
});

suite.case(
  "messages",
  "reasoning",
  "messages thinking",
  async (on) => {
    const { text, steps } = await generateText({
      model: anthropic(model(on)),
      prompt: CALL_BOTH,
      tools,
      stopWhen: stepCountIs(3),
      providerOptions: { anthropic: { thinking: { type: "enabled", budgetTokens: 1_024 } } },
    });
    assert(steps[0].reasoningText.startsWith("Thinking about:"));
    equal(text, AFTER_TOOLS);
  },
  ["anthropic", "gemini"],
);

suite.case(
  "embeddings",
  "plain",
  "embeddings",
  async (on) => {
    const embedder = openai.textEmbeddingModel(model(on));
    const { embeddings } = await embedMany({ model: embedder, values: ["one", "two", "one"] });
    equal(embeddings[0], embeddings[2]);
    assert.notDeepEqual(embeddings[0], embeddings[1]);
  },
  ["openai", "gemini"],
);

await suite.main();
