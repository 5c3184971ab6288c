package interop;

import io.opentelemetry.api.logs.Severity;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.sdk.OpenTelemetrySdk;
import io.opentelemetry.sdk.autoconfigure.AutoConfiguredOpenTelemetrySdk;
import java.util.concurrent.TimeUnit;

/**
 * Exports one span, one log record and one metric point with the OpenTelemetry SDK for Java. Protocol, compression and
 * destination come from the usual OTEL_* variables.
 */
final class Main {
    private Main() {}

    public static void main(String[] arguments) {
        OpenTelemetrySdk sdk = AutoConfiguredOpenTelemetrySdk.initialize().getOpenTelemetrySdk();
        Span span = sdk.getTracer("interop").spanBuilder("chat gpt-4o").setSpanKind(SpanKind.CLIENT).startSpan();
        span.setAttribute("gen_ai.operation.name", "chat");
        span.setAttribute("gen_ai.provider.name", "openai");
        span.setAttribute("gen_ai.request.model", "gpt-4o");
        span.setAttribute("gen_ai.response.model", "gpt-4o-2024-08-06");
        span.setAttribute("gen_ai.usage.input_tokens", 300L);
        span.setAttribute("gen_ai.usage.output_tokens", 80L);
        span.setAttribute("gen_ai.usage.cache_read.input_tokens", 128L);
        sdk.getSdkLoggerProvider().get("interop").logRecordBuilder()
                .setBody("answered").setSeverity(Severity.INFO).emit();
        sdk.getMeter("interop").counterBuilder("interop.calls").build().add(3);
        span.end();
        if (!sdk.shutdown().join(10, TimeUnit.SECONDS).isSuccess()) {
            throw new IllegalStateException("the exporters could not deliver");
        }
    }
}
