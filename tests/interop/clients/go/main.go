// Exports one span, one log record and one metric point with the OpenTelemetry SDK for Go.
//
//	interop grpc|http none|gzip
//
// The destination comes from the usual OTEL_* variables.
package main

import (
	"context"
	"log"
	"os"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	otellog "go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func spanExporter(ctx context.Context, protocol string) (sdktrace.SpanExporter, error) {
	if protocol == "grpc" {
		return otlptracegrpc.New(ctx)
	}
	return otlptracehttp.New(ctx)
}

func logExporter(ctx context.Context, protocol string) (sdklog.Exporter, error) {
	if protocol == "grpc" {
		return otlploggrpc.New(ctx)
	}
	return otlploghttp.New(ctx)
}

func metricExporter(ctx context.Context, protocol string) (sdkmetric.Exporter, error) {
	if protocol == "grpc" {
		return otlpmetricgrpc.New(ctx)
	}
	return otlpmetrichttp.New(ctx)
}

func main() {
	ctx, protocol := context.Background(), os.Args[1]

	spans, err := spanExporter(ctx, protocol)
	check(err)
	tracers := sdktrace.NewTracerProvider(sdktrace.WithBatcher(spans))
	records, err := logExporter(ctx, protocol)
	check(err)
	loggers := sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewBatchProcessor(records)))
	points, err := metricExporter(ctx, protocol)
	check(err)
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(points)))

	ctx, span := tracers.Tracer("interop").Start(ctx, "chat gpt-4o", trace.WithSpanKind(trace.SpanKindClient))
	span.SetAttributes(
		attribute.String("gen_ai.operation.name", "chat"),
		attribute.String("gen_ai.provider.name", "openai"),
		attribute.String("gen_ai.request.model", "gpt-4o"),
		attribute.String("gen_ai.response.model", "gpt-4o-2024-08-06"),
		attribute.Int("gen_ai.usage.input_tokens", 300),
		attribute.Int("gen_ai.usage.output_tokens", 80),
		attribute.Int("gen_ai.usage.cache_read.input_tokens", 128),
	)
	var record otellog.Record
	record.SetBody(attribute.StringValue("answered"))
	record.SetSeverity(otellog.SeverityInfo)
	loggers.Logger("interop").Emit(ctx, record)
	counter, err := meters.Meter("interop").Int64Counter("interop.calls")
	check(err)
	counter.Add(ctx, 3)
	span.End()

	check(tracers.Shutdown(ctx))
	check(loggers.Shutdown(ctx))
	check(meters.Shutdown(ctx))
}
