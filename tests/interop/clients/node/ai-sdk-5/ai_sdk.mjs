// Vercel AI SDK 5 with experimental_telemetry.
//     node ai_sdk.mjs stream|tools|embed
import { createOpenAI } from '@ai-sdk/openai';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { embed, generateText, stepCountIs, streamText, tool } from 'ai';
import { z } from 'zod';

const [, , call] = process.argv;
const sdk = new NodeSDK({ traceExporter: new OTLPTraceExporter() });
sdk.start();

const openai = createOpenAI({});
const experimental_telemetry = {
  isEnabled: true,
  functionId: 'support',
  metadata: { userId: 'u-7', sessionId: 's-9', tags: ['demo', 'beta'] },
};
const getWeather = tool({
  description: 'Weather of a city',
  inputSchema: z.object({ city: z.string() }),
  execute: async () => 'rain',
});

const calls = {
  async stream() {
    const result = streamText({
      model: openai.chat('gpt-4o'),
      system: 'Answer in one sentence.',
      prompt: 'What is the capital of France?',
      temperature: 0.2,
      experimental_telemetry,
    });
    for await (const _ of result.textStream);
  },
  async tools() {
    await generateText({
      model: openai.chat('gpt-4o-mini'),
      prompt: 'What is the weather in Paris?',
      tools: { get_weather: getWeather },
      stopWhen: stepCountIs(3),
      experimental_telemetry,
    });
  },
  async embed() {
    await embed({
      model: openai.textEmbeddingModel('text-embedding-3-small'),
      value: 'The quick brown fox',
      experimental_telemetry,
    });
  },
};

await calls[call]();
await sdk.shutdown();
