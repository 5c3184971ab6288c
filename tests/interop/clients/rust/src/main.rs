//! Exports one span, one log record and one metric point with the OpenTelemetry SDK for Rust.
//!
//!     interop grpc|http
//!
//! The destination and the compression come from the usual OTEL_* variables.

use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::{SpanKind, Tracer, TracerProvider};
use opentelemetry::KeyValue;
use opentelemetry_otlp::{LogExporter, MetricExporter, SpanExporter};
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::error::Error;

fn exporters(protocol: &str) -> Result<(SpanExporter, LogExporter, MetricExporter), Box<dyn Error>> {
    if protocol == "grpc" {
        return Ok((
            SpanExporter::builder().with_tonic().build()?,
            LogExporter::builder().with_tonic().build()?,
            MetricExporter::builder().with_tonic().build()?,
        ));
    }
    Ok((
        SpanExporter::builder().with_http().build()?,
        LogExporter::builder().with_http().build()?,
        MetricExporter::builder().with_http().build()?,
    ))
}

fn emit(spans: &SdkTracerProvider, logs: &SdkLoggerProvider, metrics: &SdkMeterProvider) {
    let tracer = spans.tracer("interop");
    tracer
        .span_builder("chat gpt-4o")
        .with_kind(SpanKind::Client)
        .with_attributes([
            KeyValue::new("gen_ai.operation.name", "chat"),
            KeyValue::new("gen_ai.provider.name", "openai"),
            KeyValue::new("gen_ai.request.model", "gpt-4o"),
            KeyValue::new("gen_ai.response.model", "gpt-4o-2024-08-06"),
            KeyValue::new("gen_ai.usage.input_tokens", 300),
            KeyValue::new("gen_ai.usage.output_tokens", 80),
            KeyValue::new("gen_ai.usage.cache_read.input_tokens", 128),
        ])
        .start(&tracer);
    let logger = logs.logger("interop");
    let mut record = logger.create_log_record();
    record.set_body(AnyValue::from("answered"));
    record.set_severity_number(Severity::Info);
    logger.emit(record);
    metrics.meter("interop").u64_counter("interop.calls").build().add(3, &[]);
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let protocol = std::env::args().nth(1).unwrap_or_default();
    // The blocking HTTP client refuses to be made or used on a thread of the runtime.
    tokio::task::spawn_blocking(move || -> Result<(), String> {
        let handle = tokio::runtime::Handle::current();
        let _entered = handle.enter();
        let (span_exporter, log_exporter, metric_exporter) =
            exporters(&protocol).map_err(|error| error.to_string())?;
        let spans = SdkTracerProvider::builder().with_batch_exporter(span_exporter).build();
        let logs = SdkLoggerProvider::builder().with_batch_exporter(log_exporter).build();
        let metrics = SdkMeterProvider::builder().with_periodic_exporter(metric_exporter).build();
        emit(&spans, &logs, &metrics);
        // Only flushing tells what could not be delivered.
        spans.force_flush().map_err(|error| error.to_string())?;
        logs.force_flush().map_err(|error| error.to_string())?;
        metrics.force_flush().map_err(|error| error.to_string())?;
        spans.shutdown().map_err(|error| error.to_string())?;
        logs.shutdown().map_err(|error| error.to_string())?;
        metrics.shutdown().map_err(|error| error.to_string())
    })
    .await??;
    Ok(())
}
