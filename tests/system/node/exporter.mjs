// Exports one span, one log record and one metric point with the OpenTelemetry SDK for Node.js.
//     node exporter.mjs grpc|proto|json
// The compression and the destination come from the usual OTEL_* variables.
import { diag, DiagConsoleLogger, DiagLogLevel, SpanKind } from '@opentelemetry/api';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node';

// What could not be delivered is told there and nowhere else.
diag.setLogger(new DiagConsoleLogger(), DiagLogLevel.WARN);

const kind = { grpc: 'grpc', proto: 'proto', json: 'http' }[process.argv[2]];
const { OTLPTraceExporter } = await import(`@opentelemetry/exporter-trace-otlp-${kind}`);
const { OTLPLogExporter } = await import(`@opentelemetry/exporter-logs-otlp-${kind}`);
const { OTLPMetricExporter } = await import(`@opentelemetry/exporter-metrics-otlp-${kind}`);

const fromEnvironment = (process.env.OTEL_RESOURCE_ATTRIBUTES ?? '').split(',').map((pair) => pair.split('='));
const resource = resourceFromAttributes({
  ...Object.fromEntries(fromEnvironment),
  'service.name': process.env.OTEL_SERVICE_NAME,
});
const tracers = new NodeTracerProvider({ resource, spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())] });
const loggers = new LoggerProvider({
  resource,
  processors: [new BatchLogRecordProcessor({ exporter: new OTLPLogExporter() })],
});
const reader = new PeriodicExportingMetricReader({ exporter: new OTLPMetricExporter() });
const meters = new MeterProvider({ resource, readers: [reader] });

const span = tracers.getTracer('interop').startSpan('chat gpt-4o', {
  kind: SpanKind.CLIENT,
  attributes: {
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': 'openai',
    'gen_ai.request.model': 'gpt-4o',
    'gen_ai.response.model': 'gpt-4o-2024-08-06',
    'gen_ai.usage.input_tokens': 300,
    'gen_ai.usage.output_tokens': 80,
    'gen_ai.usage.cache_read.input_tokens': 128,
  },
});
loggers.getLogger('interop').emit({ body: 'answered', severityNumber: 9 });
meters.getMeter('interop').createCounter('interop.calls').add(3);
span.end();

await Promise.all([tracers.shutdown(), loggers.shutdown(), meters.shutdown()]);
