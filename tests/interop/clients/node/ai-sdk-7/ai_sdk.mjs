// Vercel AI SDK 7 with its OpenTelemetry integration.
//     node ai_sdk.mjs new|legacy stream|tools|embed
import { createOpenAI } from '@ai-sdk/openai';
import { LegacyOpenTelemetry, OpenTelemetry } from '@ai-sdk/otel';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { embed, generateText, registerTelemetry, stepCountIs, streamText, tool } from 'ai';
import { z } from 'zod';

const [, , style, call] = process.argv;
const sdk = new NodeSDK({ traceExporter: new OTLPTraceExporter() });
sdk.start();
registerTelemetry(style === 'new' ? new OpenTelemetry() : new LegacyOpenTelemetry());

const openai = createOpenAI({});
const telemetry = { functionId: 'support' };
const getWeather = tool({
  description: 'Weather of a city',
  inputSchema: z.object({ city: z.string() }),
  execute: async () => 'rain',
});

const calls = {
  async stream() {
    const result = streamText({
      model: openai.chat('gpt-4o'),
      instructions: 'Answer in one sentence.',
      prompt: 'What is the capital of France?',
      temperature: 0.2,
      telemetry,
    });
    for await (const _ of result.textStream);
  },
  async tools() {
    await generateText({
      model: openai.chat('gpt-4o-mini'),
      prompt: 'What is the weather in Paris?',
      tools: { get_weather: getWeather },
      stopWhen: stepCountIs(3),
      telemetry,
    });
  },
  async embed() {
    await embed({ model: openai.textEmbeddingModel('text-embedding-3-small'), value: 'The quick brown fox', telemetry });
  },
};

await calls[call]();
await sdk.shutdown();
